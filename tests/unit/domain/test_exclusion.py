from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidInput, UnknownTimezone
from app.domain.exclude import Days, Entry, InCalendar, Interval, calendar_names
from app.domain.exclusion import NOTHING, Listed, resolve

EVE = date(2027, 12, 24)
BOXING_DAY = date(2027, 12, 26)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)

zones = st.sampled_from(
    ["UTC", "Europe/Berlin", "Pacific/Apia", "America/St_Johns", "Asia/Beirut", "Australia/Lord_Howe"]
)
dates = st.dates(date(2011, 12, 20), date(2012, 1, 10)) | st.dates(date(2006, 10, 20), date(2006, 11, 5))
instants = st.datetimes(datetime(2011, 12, 19), datetime(2012, 1, 11), timezones=st.just(UTC)) | st.datetimes(
    datetime(2006, 10, 19), datetime(2006, 11, 6), timezones=st.just(UTC)
)
days = st.builds(lambda first, more: Days(first, first + more * DAY), dates, st.integers(0, 4))
intervals = st.builds(lambda start, hours: Interval(start, start + hours * HOUR), instants, st.integers(1, 100))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@given(st.lists(days | intervals, max_size=12), zones, st.lists(instants, max_size=30))
def test_an_instant_is_covered_exactly_where_some_entry_holds_it(
    entries: list[Entry], zone: str, points: list[datetime]
) -> None:
    listed = Listed(zone, entries)
    edges = [edge + step for each in entries if isinstance(each, Interval) for edge in (each.start, each.end)
             for step in (timedelta(0), timedelta(microseconds=-1))]  # fmt: skip
    for at in points + edges:
        holding = {str(each) for each in entries if _holds(each, zone, at)}
        found = listed.covers(at)
        assert (found is not None) == bool(holding)
        assert found is None or found in holding


def _holds(entry: Entry, zone: str, at: datetime) -> bool:
    if isinstance(entry, Interval):
        return entry.start <= at < entry.end
    return entry.first <= at.astimezone(ZoneInfo(zone)).date() <= entry.last


def test_a_day_is_read_in_the_zone() -> None:
    listed = Listed("America/New_York", [Days(EVE, EVE)])
    assert listed.covers(utc(2027, 12, 24, 4, 59, 59)) is None
    assert listed.covers(utc(2027, 12, 24, 5)) == "2027-12-24"
    assert listed.covers(utc(2027, 12, 25, 4, 59, 59)) == "2027-12-24"
    assert listed.covers(utc(2027, 12, 25, 5)) is None


def test_both_days_of_a_range_are_in_it() -> None:
    listed = Listed("UTC", [Days(EVE, BOXING_DAY)])
    told = [listed.covers(utc(2027, 12, day, 12)) for day in range(23, 28)]
    assert told == [None, *["2027-12-24 to 2027-12-26"] * 3, None]


def test_an_interval_holds_its_start_and_not_its_end() -> None:
    listed = Listed("Asia/Tokyo", [Interval(utc(2027, 12, 24, 22), utc(2027, 12, 25, 2, 30))])
    assert listed.covers(utc(2027, 12, 24, 22)) == "2027-12-24T22:00:00Z to 2027-12-25T02:30:00Z"
    assert listed.covers(utc(2027, 12, 25, 2, 30)) is None


def test_a_calendar_names_itself_and_the_entry() -> None:
    listed = Listed("UTC", [Days(EVE, EVE, "Christmas Eve"), Days(BOXING_DAY, BOXING_DAY)], "holidays")
    assert listed.covers(utc(2027, 12, 24)) == "calendar holidays (Christmas Eve)"
    assert listed.covers(utc(2027, 12, 26)) == "calendar holidays (2027-12-26)"


def test_a_jobs_own_days_are_read_in_its_zone_and_a_calendars_in_the_calendars() -> None:
    calendars = {"holidays": Listed("Asia/Tokyo", [Days(EVE, EVE, "Eve")], "holidays")}
    excluded = resolve((InCalendar("holidays"), Days(BOXING_DAY, BOXING_DAY)), "America/New_York", calendars)
    assert excluded.covers(utc(2027, 12, 23, 15)) == "calendar holidays (Eve)"
    assert excluded.covers(utc(2027, 12, 24, 15)) is None
    assert excluded.covers(utc(2027, 12, 26, 4)) is None
    assert excluded.covers(utc(2027, 12, 27, 4)) == "2027-12-26"


def test_a_jobs_own_list_is_named_before_its_calendars() -> None:
    calendars = {"holidays": Listed("UTC", [Days(EVE, EVE, "Eve")], "holidays")}
    excluded = resolve((InCalendar("holidays"), Days(EVE, EVE)), "UTC", calendars)
    assert excluded.covers(utc(2027, 12, 24)) == "2027-12-24"


def test_an_empty_list_leaves_nothing_out() -> None:
    assert resolve((), "No/Zone", {}) is NOTHING
    assert NOTHING.covers(utc(2027, 1, 1)) is None


def test_of_a_calendar_that_is_not_there_nobody_can_say() -> None:
    excluded = resolve((InCalendar("gone"),), "UTC", {})
    with pytest.raises(InvalidInput, match="no calendar named gone"):
        excluded.covers(utc(2027, 1, 1))


def test_of_a_zone_that_is_not_there_nobody_can_say_either() -> None:
    with pytest.raises(UnknownTimezone):
        Listed("No/Zone", [Days(EVE, EVE)]).covers(utc(2027, 1, 1))


def test_calendars_are_named_once() -> None:
    assert calendar_names((InCalendar("b"), Days(EVE, EVE), InCalendar("a"), InCalendar("b"))) == ["a", "b"]


def test_jobs_of_one_zone_and_list_share_what_was_made_of_it() -> None:
    exclude = (Days(EVE, BOXING_DAY),)
    assert resolve(exclude, "UTC", {}).sources[0] is resolve(exclude, "UTC", {}).sources[0]


def test_a_thousand_instants_are_looked_up_in_five_thousand_days_within_a_moment() -> None:
    listed = Listed("Europe/Berlin", [Days(EVE + 2 * each * DAY, EVE + 2 * each * DAY) for each in range(5000)])
    began = time.perf_counter()
    found = [listed.covers(utc(2030, 1, 1) + each * DAY) for each in range(1000)]
    assert time.perf_counter() - began < 0.1
    assert sum(each is not None for each in found) == 500
