from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

import pytest

from app.domain.errors import InvalidCalendar
from app.domain.exclude import Days, Entry, Interval
from app.service import ical
from app.service.ical import read_calendar

NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
EVE = date(2027, 12, 24)
DAY = timedelta(days=1)
DAILY = "DTSTART;VALUE=DATE:20000101\nRRULE:FREQ=DAILY"


def file(*events: str, before: str = "", after: str = "") -> bytes:
    parts = ["BEGIN:VCALENDAR", "VERSION:2.0", *before.split(), *(_event(each) for each in events), *after.split()]
    return ("\r\n".join([*parts, "END:VCALENDAR"]) + "\r\n").encode()


def _event(text: str) -> str:
    return "\r\n".join(["BEGIN:VEVENT", *(line.strip() for line in text.strip().split("\n")), "END:VEVENT"])


def read(*events: str, zone: str = "Europe/Berlin", at: datetime = NOW) -> tuple[Entry, ...]:
    return read_calendar(file(*events), zone, at)


def refusal(content: bytes) -> InvalidCalendar:
    with pytest.raises(InvalidCalendar) as caught:
        read_calendar(content, "UTC", NOW)
    assert caught.value.remedy
    return caught.value


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_a_day_is_a_day_and_the_end_of_a_range_is_not_in_it() -> None:
    assert read("DTSTART;VALUE=DATE:20271224\nSUMMARY:Eve") == (Days(EVE, EVE, "Eve"),)
    assert read("DTSTART;VALUE=DATE:20271224\nDTEND;VALUE=DATE:20271227") == (Days(EVE, EVE + 2 * DAY),)
    assert read("DTSTART;VALUE=DATE:20271224\nDURATION:P3D") == (Days(EVE, EVE + 2 * DAY),)
    assert read("DTSTART;VALUE=DATE:20271224\nDTEND;VALUE=DATE:20271224") == (Days(EVE, EVE),)


def test_times_are_an_interval_in_their_zone_or_else_the_calendars() -> None:
    from_five = (Interval(utc(2027, 12, 24, 17), utc(2027, 12, 24, 19)),)
    assert read("DTSTART:20271224T170000Z\nDTEND:20271224T190000Z") == from_five
    assert read("DTSTART:20271224T180000\nDURATION:PT2H") == from_five
    assert read("DTSTART;TZID=America/New_York:20271224T120000\nDTEND:20271224T190000Z") == from_five
    assert read("DTSTART;TZID=W. Europe Standard Time:20271224T180000\nDURATION:PT2H", zone="UTC") == from_five
    assert read("DTSTART:20271224T170000Z") == ()


def test_what_repeats_is_unfolded_from_a_year_before_to_ten_years_after() -> None:
    found = read("DTSTART;VALUE=DATE:19951224\nRRULE:FREQ=YEARLY\nSUMMARY:Eve")
    first, *rest = found
    assert first == Days(date(1995, 12, 24), date(1995, 12, 24), "Eve")
    assert [each.first.year for each in rest if isinstance(each, Days)] == list(range(2026, 2037))


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("FREQ=YEARLY;COUNT=3", ["2027-12-24", "2028-12-24", "2029-12-24"]),
        ("FREQ=YEARLY;UNTIL=20281224", ["2027-12-24", "2028-12-24"]),
        ("FREQ=DAILY;UNTIL=20271226T000000Z", ["2027-12-24", "2027-12-25", "2027-12-26"]),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", ["2027-12-24", "2027-12-31", "2028-01-28"]),
    ],
)
def test_rules_end(rule: str, days: list[str]) -> None:
    found = read(f"DTSTART;VALUE=DATE:20271224\nRRULE:{rule}")
    assert [str(each) for each in found] == days


def test_a_rule_goes_by_the_local_clock() -> None:
    found = read("DTSTART;TZID=Europe/Berlin:20270326T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4", zone="UTC")
    starts = [each.start for each in found if isinstance(each, Interval)]
    assert starts == [utc(2027, 3, day, hour) for day, hour in ((26, 8), (27, 8), (28, 7), (29, 7))]


def test_the_end_of_a_rule_in_utc_is_compared_as_an_instant() -> None:
    found = read("DTSTART;TZID=Asia/Tokyo:20271224T010000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20271224T160000Z")
    assert [each.start for each in found if isinstance(each, Interval)] == [
        utc(2027, 12, 23, 16),
        utc(2027, 12, 24, 16),
    ]


def test_dates_are_taken_out_and_added() -> None:
    found = read(
        "DTSTART;VALUE=DATE:20271224\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE;VALUE=DATE:20271225,20271226"
        "\nRDATE;VALUE=DATE:20280106"
    )
    assert [str(each) for each in found] == ["2027-12-24", "2027-12-27", "2028-01-06"]
    times = read(
        "DTSTART:20271224T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE:20271225T100000Z"
        "\nEXDATE;VALUE=DATE:20271226\nRDATE;VALUE=PERIOD:20280106T100000Z/PT1H"
    )
    assert [each.start.day for each in times if isinstance(each, Interval)] == [24, 27, 6]


def test_an_occurrence_that_was_moved_is_where_it_was_moved_to() -> None:
    found = read(
        "UID:a\nDTSTART;VALUE=DATE:20271224\nRRULE:FREQ=DAILY;COUNT=3",
        "UID:a\nRECURRENCE-ID;VALUE=DATE:20271225\nDTSTART;VALUE=DATE:20280101\nSUMMARY:moved",
        "UID:a\nRECURRENCE-ID;VALUE=DATE:20271226\nDTSTART;VALUE=DATE:20271226\nSTATUS:CANCELLED",
    )
    assert [(str(each), each.summary) for each in found] == [("2027-12-24", ""), ("2028-01-01", "moved")]


def test_canceled_events_and_years_that_no_schedule_knows_are_left_out() -> None:
    assert read("DTSTART;VALUE=DATE:20271224\nSTATUS:CANCELLED", "DTSTART;VALUE=DATE:19501224") == ()
    assert read("DTSTART;VALUE=DATE:22001224", "DTSTART:22001224T100000Z\nDURATION:PT1H") == ()


def test_alarms_zones_and_folds_don_t_matter() -> None:
    content = (
        b"\xef\xbb\xbfBEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\n"
        b"DTSTART:16010101T000000\r\nTZOFFSETFROM:+0900\r\nTZOFFSETTO:+0900\r\nRRULE:FREQ=SECONDLY\r\n"
        b"END:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nDTSTART;TZID=Europe/Ber\r\n lin:20271224T180000\r\n"
        b"DURATION:PT2H\nSUMMARY:Heilig\r\n\tabend\\, sp\xc3\xa4t\r\nBEGIN:VALARM\r\nDURATION:PT5H\r\n"
        b"DTSTART:nonsense\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR"
    )
    [entry] = read_calendar(content, "UTC", NOW)
    assert entry == Interval(utc(2027, 12, 24, 17), utc(2027, 12, 24, 19), "Heiligabend, spät")
    [again] = read("DTSTART;TZID=Europe/Berlin:20271224T180000\nDURATION:PT2H", zone="UTC")
    assert isinstance(again, Interval)
    assert again.start == utc(2027, 12, 24, 17)


def test_the_same_day_of_two_events_is_one_entry() -> None:
    assert len(read(*["DTSTART;VALUE=DATE:20271224\nSUMMARY:Eve"] * 3)) == 1


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"", 1, "BEGIN:VCALENDAR"),
        (b"{}", 1, "BEGIN:VCALENDAR"),
        (b"BEGIN:VEVENT\nEND:VEVENT\n", 1, "BEGIN:VCALENDAR"),
        (b"BEGIN:VCALENDAR\nX:a\n\xff\n", 3, "UTF-8"),
        (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20271224\n", 3, "ends before END:VEVENT"),
        (b"BEGIN:VCALENDAR\nEND:VEVENT\n", 2, "END:VEVENT"),
        (file("SUMMARY:a"), 3, "DTSTART"),
        (file("DTSTART;VALUE=DATE:20271224", "DTSTART;VALUE=DATE:20271324"), 6, "DTSTART"),
        (file("DTSTART:20271224\nDTSTART:20271225"), 3, "more than once"),
        (file("DTSTART;TZID=No/Zone:20271224T100000"), 3, "no time zone 'No/Zone'"),
        (file("DTSTART;VALUE=DATE:20271224\nDTEND;VALUE=DATE:20271223"), 3, "before DTSTART"),
        (file("DTSTART;VALUE=DATE:20271224\nDTEND:20271225T100000Z"), 3, "DTEND"),
        (file("DTSTART;VALUE=DATE:20271224\nDURATION:P999999999D"), 3, ""),
        (file("DTSTART;TZID=Asia/Tokyo:00010101T000000\nDURATION:PT1H"), 3, ""),
        (file("DTSTART;VALUE=DATE:20271224\nRRULE:FREQ=HOURLY"), 3, "HOURLY"),
        (file("DTSTART;VALUE=DATE:20271224\nRRULE:FREQ=NEVER"), 3, "RRULE"),
        (file("DTSTART;VALUE=DATE:20271224\nRRULE:COUNT=3"), 3, "FREQ"),
        (file("DTSTART:PT5H"), 3, "DTSTART: is neither"),
        (file("DTSTART:20271224\nDURATION:20271224"), 3, "no duration"),
        (file("DTSTART;VALUE=DATE:20271224\nRRULE:FREQ=DAILY;INTERVAL=0"), 3, "INTERVAL"),
        (file("DTSTART;VALUE=DATE:20271224\nRRULE:FREQ=DAILY;BYDAY=XX"), 3, ""),
        (file("DTSTART;VALUE=DATE:20271224\nRRULE:RSCALE=HEBREW;FREQ=YEARLY"), 3, ""),
        (file("DTSTART;VALUE=DATE:20271224\nEXRULE:FREQ=DAILY"), 3, "EXRULE"),
        (file("DTSTART;VALUE=DATE:20271224\nEXDATE:soon"), 3, "EXDATE"),
        (file(DAILY, DAILY + "\nDURATION:P2D"), 7, "5000"),
        (file(*["DTSTART;VALUE=DATE:20271224"] * 5001), 3 + 5000 * 3 + 2, "5000 events"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_line(content: bytes, line: int, said: str) -> None:
    error = refusal(content)
    assert error.field == f"line {line}", error
    assert said in error.message


def test_rules_that_take_too_long_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ical, "SECONDS", 0.05)
    seconds = ",".join(map(str, range(60)))
    began = time.monotonic()
    error = refusal(file(f"DTSTART;VALUE=DATE:19700101\nRRULE:FREQ=DAILY;BYMINUTE={seconds};BYSECOND={seconds}"))
    assert "too long" in error.message
    assert time.monotonic() - began < 5


def test_rules_that_never_come_true_are_tried_no_longer_than_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ical, "SECONDS", -1)
    error = refusal(file("DTSTART;VALUE=DATE:20270101\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"))
    assert "too long" in error.message


@pytest.mark.parametrize("zone", ["Europe", "America/Argentina", "A" * 256])
def test_a_zone_that_is_a_folder_or_no_file_name_is_refused(zone: str) -> None:
    assert refusal(file(f"DTSTART;TZID={zone}:20300101T000000")).field == "line 3"


def test_many_events_are_read_within_seconds() -> None:
    days = [EVE + each * DAY for each in range(4000)]
    began = time.monotonic()
    found = read(*[f"DTSTART;VALUE=DATE:{day:%Y%m%d}\nSUMMARY:day" for day in days])
    assert len(found) == 4000
    assert time.monotonic() - began < 15
