"""The ledger as the journal tells it: how each run stands, without asking the database again."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from app.domain.run import State, Trigger
from tests.simulation.journal import Change

OF_THE_SCHEDULE = frozenset({Trigger.SCHEDULE, Trigger.CATCH_UP})


class Violation(AssertionError):
    """Something that must never be."""


class Mirror:
    """`runs` has the last change of each run, `made` the instants of each job that count against its max_runs."""

    def __init__(self) -> None:
        self.runs: dict[UUID, Change] = {}
        self.pending: set[UUID] = set()
        self.held_up: set[UUID] = set()
        self.running: set[UUID] = set()
        self.waiting: set[UUID] = set()
        self.active: dict[UUID, set[UUID]] = defaultdict(set)
        self.occurrences: dict[UUID, dict[datetime, UUID]] = defaultdict(dict)
        self.last_claimed: UUID | None = None
        self.made: dict[UUID, list[datetime]] = defaultdict(list)

    def apply(self, change: Change) -> None:
        if change.old_state is None:
            self._born(change)
        run_id = change.run_id
        self.runs[run_id] = change
        _put(self.pending, run_id, belongs=change.state == State.PENDING)
        _put(self.held_up, run_id, belongs=change.waiting_for is not None)
        _put(self.running, run_id, belongs=change.state == State.RUNNING)
        _put(self.waiting, run_id, belongs=change.state == State.WAITING)
        _put(self.active[change.job_id], run_id, belongs=is_active(change))

    @property
    def unended(self) -> set[UUID]:
        return self.pending | self.running | self.waiting

    def others_active(self, run: Change) -> list[Change]:
        """The runs of its job that have begun and not ended, but for itself."""
        return [self.runs[other] for other in self.active[run.job_id] if other != run.run_id]

    def holding(self, key: str) -> int:
        """How many runs hold the key: called, or waiting for a callback."""
        return sum(self.runs[run].limit_key == key for run in self.running | self.waiting)

    def _born(self, change: Change) -> None:
        if change.trigger not in OF_THE_SCHEDULE:
            return
        twin = self.occurrences[change.job_id].setdefault(change.scheduled_for, change.run_id)
        if twin != change.run_id:
            raise Violation(f"two rows for one occurrence: {change.run_id} and {twin} at {change.scheduled_for}")
        self.last_claimed = change.job_id
        if change.state in {State.PENDING, State.RUNNING} or (change.reason or "").startswith("overlap"):
            self.made[change.job_id].append(change.scheduled_for)


def is_active(run: Change) -> bool:
    """Notices concern nobody."""
    if run.trigger == Trigger.NOTIFY:
        return False
    called = run.state in {State.RUNNING, State.WAITING}
    return bool(called or (run.state == State.PENDING and run.attempt > 0))


def told(run: Change) -> str:
    facts = f"{run.trigger} {run.state} attempt {run.attempt} fence {run.fence} owner {run.owner}"
    return f"run {run.run_id} of job {run.job_id} at {run.scheduled_for}: {facts} {run.reason or run.waiting_for or ''}"


def _put(runs: set[UUID], run_id: UUID, *, belongs: bool) -> None:
    if belongs:
        runs.add(run_id)
    else:
        runs.discard(run_id)
