"""The runs that a claim makes: each starts at once, is queued, waits at a gate, or is skipped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.db.calls import callback_values, started
from app.db.insert_runs import planned_values, skipped
from app.db.types import AnyRow
from app.domain.claim import Claims, Queued, Slots, Started
from app.domain.delay import NO_PLACE, host_delay
from app.domain.gates import CATCH_UP_RATE, Asking, Decision, Gates, Skip, Wait
from app.domain.namespace import Allowance
from app.domain.run import State, Trigger


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """`job` is the row as it is locked. `asking` is None where the run can't start yet, or is born ended.

    `allowance` is what is left to its namespace, where that has a quota.
    """

    job: AnyRow
    values: dict[str, Any]
    asking: Asking | None
    allowance: Allowance | None


def claimed_runs(claims: Claims, locked: Mapping[int, AnyRow], allowances: Mapping[str, Allowance]) -> list[ClaimedRun]:
    """Of what was won. What is caught up is spread, so it begins by waiting for its turn."""
    made: list[ClaimedRun] = []
    for candidate in claims.won:
        job, policies = locked[candidate.job.id], candidate.job.policies
        allowance = allowances.get(job.namespace)
        for run in candidate.plan.runs:
            values, asking = planned_values(candidate.job, run, job.now), None
            if run.state is State.PENDING and values["due_at"] <= job.now and run.trigger is not Trigger.CATCH_UP:
                asking = Asking(values["id"], job.uid, run.trigger, policies)
            elif run.state is State.PENDING and allowance is not None and not allowance.take():
                values |= skipped(allowance)
            elif run.state is State.PENDING and run.trigger is Trigger.CATCH_UP:
                values |= _held_up(CATCH_UP_RATE)
            made.append(ClaimedRun(job, values, asking, allowance))
    return made


def decide(
    runs: Iterable[ClaimedRun], gates: Gates, claims: Claims, slots: Slots, replica: UUID
) -> tuple[list[dict[str, Any]], dict[UUID, UUID]]:
    """The rows to insert, and the runs over which others take, each with that one."""
    values: list[dict[str, Any]] = []
    ends: dict[UUID, UUID] = {}
    for run in runs:
        values.append(run.values)
        if run.asking is None:
            if run.values["state"] is State.PENDING and run.values["waiting_for"] is None:
                claims.queued.append(_queued(run))
            continue
        decision = _within_quota(gates.judge(run.asking), run.allowance)
        if isinstance(decision, Skip):
            values[-1] |= {"state": State.SKIPPED, "reason": decision.reason}
        elif isinstance(decision, Wait):
            values[-1] |= _held_up(decision.gate)
        elif _concerns_a_limit(run.asking) or _is_late(run):
            claims.queued.append(_queued(run))
            continue
        elif not slots.admit(run.job.host):
            values[-1] |= {"delayed_by": host_delay(run.job.host) if slots.free else NO_PLACE}
            claims.queued.append(_queued(run))
            continue
        else:
            claims.started.append(_started(run))
            values[-1] |= {"state": State.RUNNING, "attempt": 1, "fence": 1, "started_at": run.job.now}
            values[-1] |= {"owner": replica} | callback_values(claims.started[-1])
        gates.settle(run.asking, decision)
        if not isinstance(decision, Skip):
            ends |= dict.fromkeys(decision.ends, run.asking.run_id)
    return values, ends


def _within_quota(decision: Decision, allowance: Allowance | None) -> Decision:
    """What is skipped anyhow takes nothing."""
    if isinstance(decision, Skip) or allowance is None or allowance.take():
        return decision
    return Skip(allowance.reason)


def _held_up(gate: str) -> dict[str, str]:
    return {"waiting_for": gate, "delayed_by": gate}


def _concerns_a_limit(asking: Asking) -> bool:
    """Limits are not locked here; the dispatcher has the run next."""
    return bool(asking.limits)


def _is_late(run: ClaimedRun) -> bool:
    deadline = run.values["deadline_at"]
    return deadline is not None and deadline <= run.job.now


def _queued(run: ClaimedRun) -> Queued:
    due_at = run.values["due_at"]
    return Queued(run.values["id"], run.values["ledger_at"], run.job.host, due_at if due_at > run.job.now else None)


def _started(run: ClaimedRun) -> Started:
    return started(
        run.job,
        run_id=run.values["id"],
        ledger_at=run.values["ledger_at"],
        scheduled_for=run.values["scheduled_for"],
        trigger=run.values["trigger"],
        attempt=1,
        fence=1,
        started_at=run.job.now,
        due_at=run.values["due_at"],
        deadline_at=run.values["deadline_at"],
    )
