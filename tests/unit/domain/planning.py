"""Schedules, policies and plans that the tests of misfires share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from app.domain.misfire import (
    NO_REPLICA,
    Plan,
    PlannedRun,
)
from app.domain.policies import Misfire, MisfirePolicy
from app.domain.recurrence import Recurrence
from app.domain.run import State, Trigger

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
GRACE = MINUTE
EACH_MINUTE = Recurrence("* * * * *")
EACH_SECOND = Recurrence("* * * * * *")
ONCE = Recurrence("@at 2027-03-01T12:00:00Z")
LATEST, EARLIEST, ALL, SKIP = MisfirePolicy
misfires = st.builds(
    Misfire,
    policy=st.sampled_from(MisfirePolicy),
    grace_seconds=st.sampled_from([1.0, 1.5, 60.0]) | st.floats(1, 7200),
    window_seconds=st.sampled_from([0.0, 60.0, 86400.0]) | st.floats(0, 2e6),
    max=st.integers(1, 5) | st.integers(1, 1000),
)


def calls(made: Plan) -> list[tuple[Trigger, datetime]]:
    return [(run.trigger, run.occurrence) for run in made.runs if run.state is State.PENDING]


def missed(minutes: Sequence[int], reason: str = NO_REPLICA) -> list[PlannedRun]:
    return [PlannedRun(NOON + n * MINUTE, state=State.MISSED, reason=reason) for n in minutes]


def caught_up(minutes: Sequence[int]) -> list[PlannedRun]:
    return [PlannedRun(NOON + n * MINUTE, Trigger.CATCH_UP) for n in minutes]
