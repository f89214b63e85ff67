"""What a batch of finished calls makes of their runs and of their jobs. No SQL here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.claim import Finished
from app.domain.lifecycle import ENDED
from app.domain.notice import Event, News
from app.domain.run import COUNTED, State, Trigger
from app.domain.verdict import Verdict

FACTS = ("last_run", "last_error", "last_success", "last_success_run", "failures_in_a_row", "failing")


@dataclass(frozen=True, slots=True)
class JobFacts:
    """The columns of `cron_jobs` that recording writes; the first four only move forward.

    `failing` tells a change from its like: it begins with a failed run of the schedule, and ends with a success.
    """

    last_run: datetime | None
    last_error: str | None
    last_success: datetime | None
    last_success_run: UUID | None
    failures_in_a_row: int
    failing: bool

    def after(self, run: Finished, became: State) -> JobFacts:
        """A slow older run never overwrites what a newer one left. What is left to be done is no fact yet.

        Nor is a notice: it tells of the job, and is none of its runs.
        """
        if run.started.call.trigger is Trigger.NOTIFY:
            return self
        facts = self._counting(run, became)
        if became is State.WAITING or (run.outcome is None and became is not State.LOST):
            return facts
        if facts.last_run is None or run.began_at >= facts.last_run:
            facts = replace(facts, last_run=run.began_at, last_error=_error(run))
        if became is State.SUCCEEDED and (facts.last_success is None or run.ended_at >= facts.last_success):
            facts = replace(facts, last_success=run.ended_at, last_success_run=run.started.call.run_id)
        return facts

    def _counting(self, run: Finished, became: State) -> JobFacts:
        """What people start by hand may end a row of failures, and makes none longer."""
        if became is State.SUCCEEDED:
            return replace(self, failures_in_a_row=0, failing=False)
        if became not in {State.FAILED, State.LOST} or run.started.call.trigger not in COUNTED:
            return self
        failing = self.failing or became is State.FAILED
        return replace(self, failures_in_a_row=self.failures_in_a_row + 1, failing=failing)

    def values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in FACTS}


def job_facts(
    verdicts: Sequence[tuple[Finished, Verdict]], jobs: Mapping[UUID, Any]
) -> tuple[dict[UUID, JobFacts], list[tuple[UUID, News]]]:
    """The new facts of each job that still exists, and what there is to tell of them; `jobs` are rows with FACTS."""
    facts: dict[UUID, JobFacts] = {}
    news: list[tuple[UUID, News]] = []
    for run, became in verdicts:
        uid = run.started.call.job_id
        if uid in jobs:
            known = facts.get(uid) or JobFacts(*(getattr(jobs[uid], name) for name in FACTS))
            facts[uid] = known.after(run, became.state)
            if event := _event(run, became.state, known, facts[uid]):
                news.append((uid, _news(event, run, became)))
    return facts, news


def _event(run: Finished, became: State, known: JobFacts, new: JobFacts) -> Event | None:
    if became is State.LOST:
        return None if run.started.call.trigger is Trigger.NOTIFY else Event.LOST
    if known.failing == new.failing:
        return None
    return Event.FAILURE if new.failing else Event.RECOVERY


def _news(event: Event, run: Finished, became: Verdict) -> News:
    call = run.started.call
    return News(
        event=event,
        run_id=call.run_id,
        scheduled_for=call.scheduled_for,
        state=became.state,
        reason=became.reason,
        error=_error(run),
        attempt=call.attempt,
    )


def is_failing(run: Finished, facts: JobFacts | None) -> bool:
    """Whether the run's job, as it is after the batch, has failed as often in a row as it may."""
    limit = run.started.policies.pause_after_failures
    return facts is not None and limit is not None and facts.failures_in_a_row >= limit


def run_result(run: Finished, became: Verdict, facts: JobFacts | None) -> dict[str, Any]:
    """The row of one run; without `facts` its job is deleted."""
    outcome = run.outcome
    status_code, excerpt = (None, None) if outcome is None else (outcome.status_code, outcome.response_excerpt)
    superseded = facts is None or facts.last_success_run != run.started.call.run_id
    return {
        "id": run.started.call.run_id,
        "ledger_at": run.started.ledger_at,
        "state": became.state,
        "reason": became.reason,
        "due_at": became.due_at,
        "failures": run.started.failures + (outcome is not None and outcome.error is not None),
        "started_at": run.began_at,
        "finished_at": run.ended_at if became.state in ENDED else None,
        "status_code": status_code,
        "error": _error(run),
        "response_excerpt": None if became.state is State.SUCCEEDED and superseded else excerpt,
    }


def _error(run: Finished) -> str | None:
    return run.note if run.outcome is None else run.outcome.error
