from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.misfire import PlannedRun
from app.domain.policies import Policies
from app.domain.run import State, Trigger
from app.domain.timing import deadline_at, due_at, jitter

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
JOB = UUID(int=7)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SCHEDULED = PlannedRun(NOON)
CAUGHT_UP = PlannedRun(NOON, Trigger.CATCH_UP)
ENDED = [PlannedRun(NOON, state=State.MISSED, reason="window"), PlannedRun(NOON, state=State.SKIPPED, reason="dst")]

occurrences = st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))
seconds = st.floats(0, 86400, allow_nan=False) | st.integers(0, 86400).map(float)


@given(st.uuids(), occurrences, seconds)
def test_a_delay_lies_within_the_jitter_and_is_the_same_each_time(job: UUID, at: datetime, most: float) -> None:
    longest = timedelta(seconds=most)
    delay = jitter(job, at, longest)
    assert timedelta(0) <= delay < longest or not longest
    assert jitter(job, at, longest) == delay


def test_a_delay_stays_the_same_from_release_to_release() -> None:
    assert jitter(JOB, NOON, HOUR) == timedelta(seconds=1659.318166)


def test_delays_are_spread_over_jobs_and_over_occurrences() -> None:
    for delays in (
        [jitter(UUID(int=n), NOON, HOUR) / HOUR for n in range(2000)],
        [jitter(JOB, NOON + n * MINUTE, HOUR) / HOUR for n in range(2000)],
    ):
        assert len(set(delays)) == 2000
        tenths = [sum(n / 10 <= delay < (n + 1) / 10 for delay in delays) for n in range(10)]
        assert all(140 < count < 260 for count in tenths)


def test_a_scheduled_run_alone_is_delayed() -> None:
    policies = Policies(jitter_seconds=60)
    assert NOON < due_at(SCHEDULED, JOB, policies) < NOON + MINUTE
    for run in (CAUGHT_UP, *ENDED):
        assert due_at(run, JOB, policies) == NOON
    assert due_at(SCHEDULED, JOB, Policies()) == NOON


@pytest.mark.parametrize(
    ("run", "expected"),
    [(SCHEDULED, NOON + 10 * SECOND), (CAUGHT_UP, NOON + HOUR + 7 * SECOND), *((run, None) for run in ENDED)],
    ids=["scheduled", "caught up", "missed", "skipped"],
)
def test_a_deadline_counts_from_when_a_run_is_due_or_was_caught_up(run: PlannedRun, expected: datetime | None) -> None:
    due, claimed = NOON + 3 * SECOND, NOON + HOUR
    assert deadline_at(run, due, claimed, Policies(deadline_seconds=7)) == expected
    assert deadline_at(run, due, claimed, Policies()) is None
