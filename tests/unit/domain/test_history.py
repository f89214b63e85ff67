from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.history import History, Version
from app.domain.job import DstGap, DstOverlap, JobDefinition

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def version(number: int, since: int, until: int | None, schedule: str = "* * * * *", **more: Any) -> Version:
    """`since` and `until` are minutes after noon."""
    job = JobDefinition(name="job", schedule=schedule, endpoint=None, **more)
    end = None if until is None else NOON + until * MINUTE
    return Version(number, NOON + since * MINUTE, end, job, NOON)


def minutes(*numbers: int) -> list[datetime]:
    return [NOON + number * MINUTE for number in numbers]


EACH, FIFTH, NEW = version(1, 0, 4), version(2, 4, 11, "*/5 * * * *"), version(3, 11, None, "*/3 * * * *")
HISTORY = History([EACH, FIFTH, NEW])


def test_each_instant_is_due_by_the_version_in_force() -> None:
    assert list(HISTORY.due(NOON, NOON + 16 * MINUTE)) == minutes(1, 2, 3, 4, 5, 10, 12, 15)
    assert list(HISTORY.due(NOON + 2 * MINUTE, NOON + 4 * MINUTE)) == minutes(2, 3)


def test_the_end_of_a_version_is_its_own_and_its_beginning_is_not() -> None:
    assert HISTORY.in_force(NOON) is None
    assert HISTORY.in_force(NOON + 4 * MINUTE) is EACH
    assert HISTORY.in_force(NOON + 4 * MINUTE + timedelta(microseconds=1)) is FIFTH
    assert HISTORY.in_force(NOON + timedelta(days=9)) is NEW


def test_a_version_that_was_in_force_for_no_time_is_never_due() -> None:
    history = History([version(1, 0, 3), version(2, 3, 3, "0 0 1 1 *"), version(3, 3, None)])
    assert list(history.due(NOON, NOON + 5 * MINUTE)) == minutes(1, 2, 3, 4)


def test_the_nearest_instants_are_found_across_versions() -> None:
    at = NOON + 6 * MINUTE
    assert (HISTORY.previous_before(at), HISTORY.next_after(at)) == tuple(minutes(5, 10))
    at = NOON + 4 * MINUTE + timedelta(seconds=30)
    assert (HISTORY.previous_before(at), HISTORY.next_after(at)) == tuple(minutes(4, 5))
    at = NOON + 11 * MINUTE
    assert (HISTORY.previous_before(at), HISTORY.next_after(at)) == tuple(minutes(10, 12))
    assert HISTORY.previous_before(NOON + MINUTE) is None
    assert History([version(1, 0, 4)]).next_after(NOON + 4 * MINUTE) is None


def test_the_schedule_before_and_the_one_after_are_looked_up() -> None:
    again = version(2, 2, 4, description="the same schedule")
    fifth, new = version(3, 4, 11, "*/5 * * * *"), version(4, 11, None, "*/3 * * * *")
    history = History([version(1, 0, 2), again, fifth, new])
    assert history.changed_from(NOON + 6 * MINUTE, fifth) == (again, fifth)
    assert history.changed_to(NOON + 6 * MINUTE, fifth) is new
    assert history.changed_to(NOON + 7 * MINUTE, fifth) is None
    assert history.changed_from(NOON + 13 * MINUTE, new) is None
    assert history.changed_from(NOON + 3 * MINUTE, again) is None


def test_a_schedule_that_can_not_be_read_is_never_due() -> None:
    broken = version(1, 0, None, "every day")
    assert (broken.recurrence, broken.is_due(NOON), broken.timezone) == (None, False, "UTC")
    assert list(History([broken]).due(NOON, NOON + 5 * MINUTE)) == []
    assert (broken.in_gap(NOON), broken.in_fold(NOON), broken.skips(NOON)) == (False, False, False)


def test_the_zone_is_that_of_the_prefix() -> None:
    assert version(1, 0, None, "TZ=Asia/Tokyo 0 9 * * *", timezone="Asia/Tokyo").timezone == "Asia/Tokyo"


def test_times_that_the_clock_jumps_over_or_repeats_are_known() -> None:
    berlin = {"schedule": "30 2 * * *", "timezone": "Europe/Berlin"}
    gap = datetime(2027, 3, 28, 1, tzinfo=UTC)
    after, skip = version(1, 0, None, **berlin), version(1, 0, None, **berlin, dst_gap=DstGap.SKIP)
    assert (after.in_gap(gap), after.skips(gap), skip.skips(gap), skip.is_due(gap)) == (True, False, True, True)
    assert not after.in_gap(gap - timedelta(days=1))
    first, second = datetime(2027, 10, 31, 0, 30, tzinfo=UTC), datetime(2027, 10, 31, 1, 30, tzinfo=UTC)
    assert (after.in_fold(first), after.in_fold(second)) == (False, True)
    both = version(1, 0, None, **berlin, dst_overlap=DstOverlap.BOTH)
    assert not both.in_fold(second)
