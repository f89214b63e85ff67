"""What becomes of occurrences that may have been called after the backup from which the ledger was restored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from app.domain.course import is_exhausted, remaining
from app.domain.exclusion import Exclusions
from app.domain.job import PersistedJob
from app.domain.misfire import Plan, PlannedRun, plan
from app.domain.policies import MisfirePolicy
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.run import State, Trigger

RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Passed:
    """The plans up to an instant, what is due after it, and how much of `max_runs` they take up."""

    plans: Sequence[Plan]
    next: datetime | None
    made: int = 0

    @property
    def rows(self) -> int:
        return sum(run.reason == RESTORED for planned in self.plans for run in planned.runs)

    @property
    def in_spans(self) -> int:
        return sum(span.count for planned in self.plans for span in planned.spans)


def passed(job: PersistedJob, until: datetime, exclusions: Exclusions) -> Passed:
    """From the occurrence that the job waits for to `until` all is missed: the newest as rows, the rest in spans.

    What was to be left out is skipped. Each counts against `max_runs`, since it may have been called: a job that was to
    run once would run again. Raises InvalidInput.
    """
    if job.next_run is None or is_exhausted(job):
        return Passed([], None)
    recurrence, left = Recurrence.of(job, job.anchor), remaining(job.policies, job.runs_made)
    if left is None:
        return Passed(*_plans(job, recurrence, until, exclusions))
    to_run = (at for at in recurrence.walk(job.next_run - RESOLUTION, until) if exclusions.covers(at) is None)
    counted = list(islice(to_run, left))
    if len(counted) < left:
        return Passed(*_plans(job, recurrence, until, exclusions), made=len(counted))
    plans, _ = _plans(job, recurrence, counted[-1], exclusions)
    return Passed(plans, None, made=left)


def _plans(
    job: PersistedJob, recurrence: Recurrence, until: datetime, exclusions: Exclusions
) -> tuple[list[Plan], datetime | None]:
    late = replace(job.policies.misfire, policy=MisfirePolicy.SKIP, grace_seconds=0.0)
    plans: list[Plan] = []
    following = job.next_run
    while following is not None and following <= until:
        planned = plan(recurrence, following, until, late, exclusions)
        plans.append(_restored(planned))
        following = planned.next
    return plans, following


def _restored(planned: Plan) -> Plan:
    runs = [run if run.state is State.SKIPPED else _missed(run) for run in planned.runs]
    return replace(planned, runs=runs, spans=[replace(span, reason=RESTORED) for span in planned.spans])


def _missed(run: PlannedRun) -> PlannedRun:
    return PlannedRun(run.occurrence, Trigger.SCHEDULE, State.MISSED, RESTORED)
