from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from app.domain.misfire import GRACE, MISSED_ROWS, NO_REPLICA, Plan, PlannedRun, is_late, plan
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.run import State, Trigger

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
EACH_MINUTE = Recurrence("* * * * *")
EACH_SECOND = Recurrence("* * * * * *")

zones = st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Asia/Kathmandu"])
texts = st.sampled_from(
    [
        *("* * * * * *", "*/7 * * * * *", "* * * * *", "*/5 * * * *", "30 2 * * *", "0 * * * *", "5,35 1-3 * * *"),
        *("@daily", "@yearly", "0 0 29 2 *", "@every 1s", "@every 37s", "@every 3h7m", "0 12 * * MON-FRI"),
        "@at 2027-03-27T12:00:00Z",
    ]
)
starts = st.datetimes(datetime(2027, 3, 27), datetime(2027, 3, 29), timezones=st.just(UTC))
holes = st.one_of(
    st.timedeltas(-HOUR, 3 * MINUTE),
    st.timedeltas(timedelta(0), 2 * HOUR),
    st.timedeltas(timedelta(0), 9 * DAY),
    st.sampled_from([GRACE, GRACE + RESOLUTION, GRACE - RESOLUTION, timedelta(0)]),
)
MOST = 3000


def calls(made: Plan) -> list[tuple[Trigger, datetime]]:
    return [(run.trigger, run.occurrence) for run in made.runs if run.state is State.PENDING]


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(texts, zones, starts, holes, st.data())
def test_every_occurrence_from_the_first_to_the_next_stands_exactly_once(
    text: str, zone: str, t: datetime, hole: timedelta, data: st.DataObject
) -> None:
    ends_at = data.draw(st.none() | st.timedeltas(timedelta(0), 5 * DAY).map(lambda later: t + later))
    recurrence = Recurrence(text, zone, starts_at=data.draw(st.none() | st.just(t)), ends_at=ends_at)
    first = data.draw(st.sampled_from([recurrence.next_after(t), t]))
    assume(first is not None)
    assert first is not None
    now = first + hole

    made = plan(recurrence, first, now)

    occurrences = enumerated(recurrence, first, now)
    rows = [run.occurrence for run in made.runs]
    span = made.span
    spanned = [at for at in occurrences if span is not None and span.after < at <= span.until]
    assert sorted(spanned + rows) == occurrences
    assert rows == sorted(set(rows))
    assert (span.count if span else 0) == len(spanned)
    assert (made.first, made.latest, made.next) == (first, occurrences[-1], recurrence.next_after(occurrences[-1]))
    assert made.next is None or made.next > now
    assert_each_has_its_fate(made, now)


def enumerated(recurrence: Recurrence, first: datetime, now: datetime) -> list[datetime]:
    found = [first]
    while (at := recurrence.next_after(found[-1])) is not None and at <= now:
        found.append(at)
        assume(len(found) < MOST)
    return found


def assert_each_has_its_fate(made: Plan, now: datetime) -> None:
    misfires = [run for run in made.runs if run.occurrence < now - GRACE]
    fresh = made.runs[len(misfires) :]
    assert all(run == PlannedRun(run.occurrence) for run in fresh)
    if misfires:
        *missed, last = misfires
        assert last == PlannedRun(last.occurrence, Trigger.CATCH_UP)
        assert [(run.state, run.reason) for run in missed] == [(State.MISSED, NO_REPLICA)] * len(missed)
        assert len(missed) == MISSED_ROWS or (len(missed) < MISSED_ROWS and made.span is None)
    else:
        assert made.span is None


def test_what_is_due_and_nothing_else_runs() -> None:
    made = plan(EACH_MINUTE, NOON, NOON + 5 * SECOND)
    assert made == Plan(NOON, NOON, NOON + MINUTE, [PlannedRun(NOON)])


def test_the_first_counts_as_due_although_its_time_has_not_come() -> None:
    """Whether it has is for the database's clock to say."""
    assert plan(EACH_MINUTE, NOON, NOON - HOUR) == Plan(NOON, NOON, NOON + MINUTE, [PlannedRun(NOON)])


@pytest.mark.parametrize(("late", "expected"), [(GRACE, False), (GRACE + RESOLUTION, True), (timedelta(0), False)])
def test_an_occurrence_is_late_beyond_the_grace_alone(late: timedelta, *, expected: bool) -> None:
    assert is_late(NOON, NOON + late) is expected
    trigger = Trigger.CATCH_UP if expected else Trigger.SCHEDULE
    assert calls(plan(EACH_MINUTE, NOON, NOON + late))[0] == (trigger, NOON)


def test_within_the_grace_every_occurrence_runs() -> None:
    made = plan(EACH_SECOND, NOON, NOON + GRACE)
    assert calls(made) == [(Trigger.SCHEDULE, NOON + n * SECOND) for n in range(61)]


def test_of_the_misfires_the_latest_runs_and_the_others_are_missed() -> None:
    made = plan(EACH_MINUTE, NOON, NOON + 5 * MINUTE + 30 * SECOND)
    assert calls(made) == [
        (Trigger.CATCH_UP, NOON + 4 * MINUTE),
        (Trigger.SCHEDULE, NOON + 5 * MINUTE),
    ]
    assert made.runs[:4] == [PlannedRun(NOON + n * MINUTE, state=State.MISSED, reason=NO_REPLICA) for n in range(4)]
    assert made.span is None


@pytest.mark.parametrize("misfires", [101, 102, 1000])
def test_a_hundred_misfires_have_rows_and_the_older_ones_a_span(misfires: int) -> None:
    now = NOON + (misfires - 1) * MINUTE + GRACE + RESOLUTION
    made = plan(EACH_MINUTE, NOON, now)
    assert sum(run.state is State.MISSED for run in made.runs) == 100
    assert calls(made)[0] == (Trigger.CATCH_UP, NOON + (misfires - 1) * MINUTE)
    if misfires == 101:
        assert made.span is None
    else:
        assert made.span is not None
        assert (made.span.after, made.span.count) == (NOON - RESOLUTION, misfires - 101)
        assert made.span.until == made.runs[0].occurrence - RESOLUTION


def test_three_days_of_a_per_second_job_are_planned_within_a_second() -> None:
    begun = time.process_time()
    made = plan(EACH_SECOND, NOON, NOON + 3 * DAY)
    took = time.process_time() - begun
    assert made.span is not None
    assert made.span.count + len(made.runs) == 259_200 + 1
    assert (len(made.runs), made.next) == (100 + 1 + 61, NOON + 3 * DAY + SECOND)
    assert took < 1


def test_a_first_that_the_schedule_does_not_know_has_its_row_too() -> None:
    """The row of a job may wait for an instant at which its schedule is not due, set before a clock changed."""
    first = NOON + timedelta(seconds=17)
    made = plan(EACH_MINUTE, first, first + 3 * MINUTE)
    assert [run.occurrence for run in made.runs] == [first, NOON + MINUTE, NOON + 2 * MINUTE, NOON + 3 * MINUTE]
    long = plan(EACH_MINUTE, first, first + 1000 * MINUTE)
    assert long.span is not None
    assert (long.span.after, long.span.count + len(long.runs)) == (first - RESOLUTION, 1001)


def test_a_job_that_ended_meanwhile_has_its_last_occurrence_and_no_next() -> None:
    ending = Recurrence("* * * * *", ends_at=NOON + 3 * MINUTE)
    made = plan(ending, NOON, NOON + DAY)
    assert calls(made) == [(Trigger.CATCH_UP, NOON + 3 * MINUTE)]
    assert (len(made.runs), made.latest, made.next) == (4, NOON + 3 * MINUTE, None)


def test_a_job_that_is_due_once_is_caught_up_once() -> None:
    once = Recurrence("@at 2027-03-01T12:00:00Z")
    assert plan(once, NOON, NOON + 30 * DAY) == Plan(NOON, NOON, None, [PlannedRun(NOON, Trigger.CATCH_UP)])
