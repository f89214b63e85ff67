from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from app.domain.job import DstGap
from app.domain.misfire import (
    DST,
    MAX,
    NO_REPLICA,
    ON_TIME,
    WINDOW,
    Plan,
    PlannedRun,
    PlannedSpan,
    is_late,
    plan,
)
from app.domain.policies import Misfire, MisfirePolicy
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.run import State, Trigger
from tests.unit.domain.planning import (
    ALL,
    DAY,
    EACH_MINUTE,
    EACH_SECOND,
    EARLIEST,
    GRACE,
    HOUR,
    LATEST,
    MINUTE,
    NOON,
    ONCE,
    SECOND,
    SKIP,
    calls,
    caught_up,
    misfires,
    missed,
)

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


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(texts, zones, starts, holes, st.data())
def test_every_occurrence_from_the_first_to_the_next_stands_exactly_once(
    text: str, zone: str, t: datetime, hole: timedelta, data: st.DataObject
) -> None:
    ends_at = data.draw(st.none() | st.timedeltas(timedelta(0), 5 * DAY).map(lambda later: t + later))
    gap, misfire = data.draw(st.sampled_from(DstGap)), data.draw(st.just(Misfire()) | misfires)
    recurrence = Recurrence(text, zone, starts_at=data.draw(st.none() | st.just(t)), ends_at=ends_at, dst_gap=gap)
    whole = replace(recurrence, dst_gap=DstGap.AFTER)
    first = data.draw(st.sampled_from([whole.next_after(t), t]))
    assume(first is not None)
    assert first is not None
    now = first + hole

    made = plan(recurrence, first, now, misfire)

    occurrences = enumerated(whole, first, now)
    runs = made.runs
    while made.next is not None and made.next <= now:
        made = plan(recurrence, made.next, now, misfire)
        assert made.spans == []
        runs = runs + made.runs
    assert (made.latest, made.next) == (occurrences[-1], whole.next_after(occurrences[-1]))
    made = replace(plan(recurrence, first, now, misfire), runs=runs)
    rows = [run.occurrence for run in runs]
    assert rows == sorted(set(rows))
    assert_the_spans_come_first(made)
    spanned = [[at for at in occurrences if span.after < at <= span.until] for span in made.spans]
    assert [at for each in spanned for at in each] + rows == occurrences
    assert [span.count for span in made.spans] == [len(each) for each in spanned]
    assert_each_has_its_fate(made, recurrence, now, misfire)


def enumerated(recurrence: Recurrence, first: datetime, now: datetime) -> list[datetime]:
    found = [first]
    while (at := recurrence.next_after(found[-1])) is not None and at <= now:
        found.append(at)
        assume(len(found) < MOST)
    return found


def assert_the_spans_come_first(made: Plan) -> None:
    edges = [made.first - RESOLUTION]
    for span in made.spans:
        assert edges[-1] <= span.after < span.until
        edges.append(span.until)
    assert edges[-1] < made.runs[0].occurrence


def assert_each_has_its_fate(made: Plan, recurrence: Recurrence, now: datetime, misfire: Misfire) -> None:
    grace, window = (timedelta(seconds=each) for each in (misfire.grace_seconds, misfire.window_seconds))
    for run in made.runs:
        assert (run == PlannedRun(run.occurrence, state=State.SKIPPED, reason=DST)) is recurrence.skips(run.occurrence)
    late = [run for run in made.runs if run.occurrence < now - grace]
    due = [run for run in made.runs if run.state is not State.SKIPPED]
    assert all(run == PlannedRun(run.occurrence) for run in due if run not in late)
    assert len(late) == misfire.max or (len(late) < misfire.max and made.spans == [])
    too_old = [run for run in due if run in late and run.occurrence < now - window]
    for run in too_old:
        assert run == PlannedRun(run.occurrence, state=State.MISSED, reason=WINDOW)
    rest = [run for run in due if run in late and run not in too_old]
    caught_up = {LATEST: rest[-1:], EARLIEST: rest[:1], ALL: rest, SKIP: []}[misfire.policy]
    for run in rest:
        missed = PlannedRun(run.occurrence, state=State.MISSED, reason=NO_REPLICA)
        assert run == (PlannedRun(run.occurrence, Trigger.CATCH_UP) if run in caught_up else missed)
    assert_spans_say_why(made.spans, now - window, misfire.policy)


def assert_spans_say_why(spans: Sequence[PlannedSpan], window_from: datetime, policy: MisfirePolicy) -> None:
    if policy is not ALL:
        assert [span.reason for span in spans] in ([], [NO_REPLICA])
    for span in spans if policy is ALL else []:
        assert span.reason == (WINDOW if span.until < window_from else MAX)
        assert (span.after >= window_from - RESOLUTION) is (span.reason == MAX)


def test_what_is_due_and_nothing_else_runs() -> None:
    made = plan(EACH_MINUTE, NOON, NOON + 5 * SECOND)
    assert made == Plan(NOON, NOON, NOON + MINUTE, [PlannedRun(NOON)])


def test_the_first_counts_as_due_although_its_time_has_not_come() -> None:
    """Whether it has is for the database's clock to say."""
    assert plan(EACH_MINUTE, NOON, NOON - HOUR) == Plan(NOON, NOON, NOON + MINUTE, [PlannedRun(NOON)])


@pytest.mark.parametrize("grace", [GRACE, SECOND, 1.5 * SECOND, 2 * HOUR])
@pytest.mark.parametrize(
    ("beyond", "trigger"),
    [(timedelta(0), Trigger.SCHEDULE), (RESOLUTION, Trigger.CATCH_UP), (-RESOLUTION, Trigger.SCHEDULE)],
)
def test_an_occurrence_is_a_misfire_beyond_the_grace_of_its_job(
    grace: timedelta, beyond: timedelta, trigger: Trigger
) -> None:
    made = plan(ONCE, NOON, NOON + grace + beyond, Misfire(grace_seconds=grace.total_seconds()))
    assert calls(made) == [(trigger, NOON)]


@pytest.mark.parametrize(
    ("grace", "late_after"), [(60.0, MINUTE), (1.0, SECOND), (86400.0, MINUTE)], ids=["default", "short", "long"]
)
def test_what_may_take_a_while_to_plan_is_late(grace: float, late_after: timedelta) -> None:
    """However long the grace: what has been due for minutes may be many occurrences."""
    misfire = Misfire(grace_seconds=grace)
    assert not is_late(NOON, NOON + late_after, misfire)
    assert is_late(NOON, NOON + late_after + RESOLUTION, misfire)
    assert late_after <= ON_TIME


def test_within_the_grace_every_occurrence_runs() -> None:
    made = plan(EACH_SECOND, NOON, NOON + GRACE)
    assert calls(made) == [(Trigger.SCHEDULE, NOON + n * SECOND) for n in range(61)]


@pytest.mark.parametrize(
    ("policy", "rows"),
    [
        (LATEST, missed(range(4)) + caught_up([4])),
        (EARLIEST, caught_up([0]) + missed(range(1, 5))),
        (ALL, caught_up(range(5))),
        (SKIP, missed(range(5))),
    ],
)
def test_the_policy_says_which_misfires_are_caught_up(policy: MisfirePolicy, rows: list[PlannedRun]) -> None:
    made = plan(EACH_MINUTE, NOON, NOON + 5 * MINUTE + 30 * SECOND, Misfire(policy=policy))
    assert made.runs == [*rows, PlannedRun(NOON + 5 * MINUTE)]
    assert made.spans == []


@pytest.mark.parametrize(
    ("policy", "rows"),
    [
        (LATEST, missed(range(2), WINDOW) + missed([2, 3]) + caught_up([4])),
        (EARLIEST, missed(range(2), WINDOW) + caught_up([2]) + missed([3, 4])),
        (ALL, missed(range(2), WINDOW) + caught_up([2, 3, 4])),
        (SKIP, missed(range(2), WINDOW) + missed([2, 3, 4])),
    ],
)
def test_what_is_older_than_the_window_is_missed(policy: MisfirePolicy, rows: list[PlannedRun]) -> None:
    misfire = Misfire(policy=policy, window_seconds=210)
    made = plan(EACH_MINUTE, NOON, NOON + 5 * MINUTE + 30 * SECOND, misfire)
    assert made.runs == [*rows, PlannedRun(NOON + 5 * MINUTE)]


@pytest.mark.parametrize("policy", [LATEST, EARLIEST, ALL])
def test_within_no_window_nothing_is_caught_up(policy: MisfirePolicy) -> None:
    made = plan(EACH_MINUTE, NOON, NOON + 5 * MINUTE, Misfire(policy=policy, window_seconds=0))
    assert made.runs[:4] == missed(range(4), WINDOW)
    assert calls(made) == [(Trigger.SCHEDULE, NOON + n * MINUTE) for n in (4, 5)]


def test_an_occurrence_as_old_as_the_window_is_within_it() -> None:
    once = Misfire(window_seconds=3600)
    assert calls(plan(ONCE, NOON, NOON + HOUR, once)) == [(Trigger.CATCH_UP, NOON)]
    assert plan(ONCE, NOON, NOON + HOUR + RESOLUTION, once).runs == missed([0], WINDOW)
