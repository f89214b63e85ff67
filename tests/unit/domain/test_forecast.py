from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from app.domain.exclude import Days, InCalendar
from app.domain.exclusion import resolve
from app.domain.forecast import MOST_STEPS, BusyMinute, Forecast, Upcoming, forecast
from app.domain.job import DstGap
from app.domain.policies import Policies
from app.domain.recurrence import Recurrence
from app.domain.timing import jitter

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def job(
    schedule: str, name: str = "job", *, left: int | None = None, when: dict[str, Any] | None = None, **policies: Any
) -> Upcoming:
    chosen = Policies(**policies)
    return Upcoming(
        uid=uuid5(NAMESPACE_URL, name),
        name=name,
        recurrence=Recurrence(schedule, **(when or {})),
        policies=chosen,
        exclusions=resolve(chosen.exclude, "UTC", {}),
        left=left,
    )


def ahead(*jobs: Upcoming, hours: float = 1, steps: int = MOST_STEPS, start: datetime = NOON) -> Forecast:
    return forecast(jobs, start, start + HOUR * hours, steps)


def test_nothing_is_due_of_no_jobs() -> None:
    assert ahead() == Forecast(NOON, NOON + HOUR)
    assert ahead(job("@manual"), job("0 0 * * *")).total == 0


def test_each_minute_is_counted_however_often_it_is_due() -> None:
    made = ahead(job("*/20 * * * *", "a"), job("*/5 40 * * * *", "b"), job("40-41 * * * *", "c"))
    at = [NOON + minutes * MINUTE for minutes in (20, 40, 41)]
    assert made.minutes == list(zip(at, (1, 14, 1), strict=True))
    assert made.total == 16
    assert made.busiest == [
        BusyMinute(at[1], 14, [("b", 12), ("a", 1), ("c", 1)]),
        BusyMinute(at[0], 1, [("a", 1)]),
        BusyMinute(at[2], 1, [("c", 1)]),
    ]


def test_what_is_due_now_is_past_and_what_is_due_at_the_end_is_not_in_it() -> None:
    assert [at for at, _ in ahead(job("0 * * * *"), hours=2).minutes] == [NOON + HOUR]


def test_minutes_that_are_cut_at_either_end_have_what_is_within() -> None:
    made = ahead(job("* * * * * *"), start=NOON + timedelta(seconds=15))
    assert (made.minutes[0], made.minutes[-1]) == ((NOON, 44), (NOON + HOUR, 15))
    assert made.total == 3599


def test_of_many_that_are_equally_busy_the_first_ten_are_told() -> None:
    made = ahead(*(job("* * * * *", f"job-{number:02}") for number in range(30)))
    assert [each.at for each in made.busiest] == [NOON + minutes * MINUTE for minutes in range(1, 11)]
    assert {each.count for each in made.busiest} == {30}
    assert made.busiest[0].jobs == [(f"job-{number:02}", 1) for number in range(10)]


def test_a_busier_minute_takes_the_place_of_the_last() -> None:
    made = ahead(job("* * * * *", "a"), job("50 * * * *", "b"))
    assert [each.at for each in made.busiest][:2] == [NOON + 50 * MINUTE, NOON + MINUTE]
    assert len(made.busiest) == 10


def test_ten_thousand_jobs_of_one_schedule_are_computed_once() -> None:
    made = ahead(*(job("* * * * *", f"job-{number}") for number in range(10_000)), hours=24, steps=1440)
    assert made.complete
    assert made.total == 10_000 * 1439


def test_excluded_instants_are_not_counted() -> None:
    tomorrow = Days(date(2027, 3, 2), date(2027, 3, 2))
    made = ahead(job("0 * * * *", exclude=(tomorrow,)), job("0 * * * *", "other"), hours=48)
    assert made.total == 47 + 23


def test_a_job_ends_with_its_last_run_and_what_is_excluded_is_none() -> None:
    tomorrow = Days(date(2027, 3, 2), date(2027, 3, 2))
    made = ahead(job("0 * * * *", left=13, exclude=(tomorrow,)), hours=48)
    assert [at.day for at, _ in made.minutes] == [1] * 11 + [3] * 2
    assert ahead(job("* * * * *", left=0)).total == 0


def test_a_job_is_due_within_its_beginning_and_end() -> None:
    made = ahead(job("* * * * *", when={"starts_at": NOON + 10 * MINUTE, "ends_at": NOON + 12 * MINUTE}))
    assert [at for at, _ in made.minutes] == [NOON + minutes * MINUTE for minutes in (10, 11, 12)]


def test_a_time_that_the_clock_jumps_over_is_not_counted_where_the_job_skips_it() -> None:
    start = datetime(2027, 3, 28, tzinfo=UTC)
    berlin = {"timezone": "Europe/Berlin"}
    assert ahead(job("30 2 * * *", when=berlin), start=start, hours=20).total == 1
    assert ahead(job("30 2 * * *", when=berlin | {"dst_gap": DstGap.SKIP}), start=start, hours=20).total == 0


def test_jitter_moves_a_run_to_the_minute_in_which_it_is_due() -> None:
    jobs = [job("*/10 * * * *", f"job-{number}", jitter_seconds=1500) for number in range(20)]
    made = ahead(*jobs, hours=2)
    due = [
        at + jitter(each.uid, at, timedelta(seconds=1500))
        for each in jobs
        for at in each.recurrence.walk(NOON, NOON + 2 * HOUR)
    ]
    within = sorted(at.replace(second=0, microsecond=0) for at in due if at < NOON + 2 * HOUR)
    assert made.minutes == [(at, within.count(at)) for at in sorted(set(within))]


def test_a_job_that_cannot_be_read_is_left_out() -> None:
    made = ahead(job("nonsense", "a"), job("* * * * *", "b", exclude=(InCalendar("gone"),)), job("30 * * * *", "c"))
    assert made.minutes == [(NOON + 30 * MINUTE, 1)]


@pytest.mark.parametrize("policies", [{}, {"jitter_seconds": 30}, {"exclude": (Days(NOON.date(), NOON.date()),)}])
def test_where_the_work_is_used_up_what_is_told_is_whole_and_reaches_less_far(policies: dict[str, Any]) -> None:
    jobs = [job(f"{second} * * * * *", f"job-{second}", **policies) for second in range(10)]
    made, whole = ahead(*jobs, hours=24, steps=3000), ahead(*jobs, hours=24, steps=10**6)
    assert (whole.complete, made.complete) == (True, False)
    assert NOON + 4 * HOUR < made.until < NOON + 5 * HOUR + MINUTE
    assert made.minutes == [each for each in whole.minutes if each[0] < made.until]


def test_where_there_is_no_time_for_anything_nothing_is_told() -> None:
    assert ahead(job("* * * * *"), steps=0) == Forecast(NOON, NOON, complete=False)
