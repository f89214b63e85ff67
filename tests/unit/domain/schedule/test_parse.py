"""What is refused, and how it is told; zones and prefixes."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from croniter import croniter

from app.domain.errors import InvalidSchedule, NeverFires, UnknownTimezone
from app.domain.job import DayRule
from app.domain.schedule import DIALECT_VERSION, parse, require_occurrence
from app.domain.schedule import expression as expression_module

NOW = datetime(2026, 5, 5, tzinfo=UTC)
WEEKDAY_REMEDY = "Use 0-7 or SUN-SAT, lists (1,5), ranges (1-5), steps (*/2), H, FRI#3 or FRI#L."
FIELDS_REMEDY = "Use minute, hour, day of month, month and day of week, with seconds before and a year after them."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("60 * * * *", "minute: '60' is out of range. Use 0-59."),
        ("60 * * * * *", "second: '60' is out of range. Use 0-59."),
        ("0 24 * * *", "hour: '24' is out of range. Use 0-23."),
        ("0 0 0 * *", "day of month: '0' is out of range. Use 1-31."),
        ("0 0 32 * *", "day of month: '32' is out of range. Use 1-31."),
        ("0 0 1 0 *", "month: '0' is out of range. Use 1-12 or JAN-DEC."),
        ("0 0 1 13 *", "month: '13' is out of range. Use 1-12 or JAN-DEC."),
        ("0 0 * * 8", "day of week: '8' is out of range. Use 0-7 or SUN-SAT."),
        ("0 0 0 1 1 * 1969", "year: '1969' is out of range. Use 1970-2099."),
        ("0 0 0 1 1 * 2030-2026", "year: '2030-2026' runs backwards. Put the lower year first."),
        ("50-70 * * * *", "minute: '50-70' is out of range. Use 0-59."),
        ("*/60 * * * *", "minute: '*/60' has a step larger than its range. Use a step of at most 59."),
        ("0 */24 * * *", "hour: '*/24' has a step larger than its range. Use a step of at most 23."),
        ("0-5/6 * * * *", "minute: '0-5/6' has a step larger than its range. Use a step of at most 5."),
        ("0 22-2/5 * * *", "hour: '22-2/5' has a step larger than its range. Use a step of at most 4."),
        ("59/15 * * * *", "minute: '59/15' has a step larger than its range. Leave the step out."),
        ("H/60 * * * *", "minute: 'H/60' has a step larger than its range. Use a step of at most 59."),
        ("*/0 * * * *", "minute: '*/0' has a step of 0. Use a step of at least 1."),
        ("R * * * *", "minute: 'R' can't be read. Use 0-59, lists (1,5), ranges (1-5), steps (*/2) or H."),
        ("1,,2 * * * *", "minute: '' can't be read. Use 0-59, lists (1,5), ranges (1-5), steps (*/2) or H."),
        ("0 0 * * MONDAY", f"day of week: 'MONDAY' can't be read. {WEEKDAY_REMEDY}"),
        ("0 0 L-31 * *", "day of month: 'L-31' is out of range. Use L-1 to L-30, or L."),
        ("0 0 32W * *", "day of month: '32W' is out of range. Use 1W to 31W, or LW."),
        ("0 0 * * FRI#6", "day of week: 'FRI#6' is out of range. Use FRI#1 to FRI#5, or FRI#L."),
        ("* * * *", f"A cron expression has 5, 6 or 7 fields, not 4. {FIELDS_REMEDY}"),
        ("", "The schedule is empty. Use, for example, 0 9 * * MON-FRI."),
        (" \t ", "The schedule is empty. Use, for example, 0 9 * * MON-FRI."),
        (f"{'9' * 500} * * * *", f"minute: '{'9' * 40}...' is out of range. Use 0-59."),
    ],
)
def test_a_refusal_says_which_field_what_was_read_and_what_would_do(text: str, message: str) -> None:
    with pytest.raises(InvalidSchedule) as caught:
        parse(text, name="job")
    assert str(caught.value) == message
    assert caught.value.field == "schedule"
    assert caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "-5 * * * *",
        "5- * * * *",
        "*-5 * * * *",
        "1-2-3 * * * *",
        "*/5/2 * * * *",
        "/5 * * * *",
        "5/ * * * *",
        "** * * * *",
        "1.5 * * * *",
        "0x5 * * * *",
        "? * * * *",
        "* ? * * *",
        "0 0 ?/2 * *",
        "0 0 ?,1 * *",
        "0 0 W * *",
        "0 0 WL * *",
        "0 0 L-3W * *",
        "0 0 1-5W * *",
        "0 0 15W/2 * *",
        "0 0 L/2 * *",
        "0 0 L-0 * *",
        "0 0 * * 5L",
        "0 0 * * L",
        "0 0 * * #2",
        "0 0 * * FRI#",
        "0 0 * * FRI#0",
        "0 0 * * MON-FRI#2",
        "0 0 * * 8#1",
        "0 0 FRI#3 * *",
        "L * * * *",
        "0 0 * JANUARY *",
        "0 0 MON * *",
        "R(0-5) * * * *",
        "H(5) * * * *",
        "H(0-70) * * * *",
        "H(0-5)/9 * * * *",
        "H/0 * * * *",
        "H-5 * * * *",
        "HH * * * *",
        "tz=UTC * * * * *",
        "* * * * * # every minute",
        "* * * * * * * *",
        "@reboot",
        "@triggered",
        "@daily now",
        "@manual now",
        "@",
        "TZ=UTC",
        "TZ=UTC ",
    ],
)
def test_what_is_outside_the_dialect_is_refused(text: str) -> None:
    with pytest.raises(InvalidSchedule) as caught:
        parse(text, name="job")
    assert caught.value.field == "schedule"
    assert caught.value.remedy


@pytest.mark.parametrize(
    "sign", ["\n", "\r", "\x00", "\x0b", "\x1f", "\x7f", "\xa0", "\u0663", "\uff0a", "\ud800", "µ"]
)
def test_signs_outside_printable_ascii_are_refused(sign: str) -> None:
    with pytest.raises(InvalidSchedule, match=r"as character 2\. Use letters"):
        parse(f"0{sign} * * * *")


def test_a_text_beyond_1024_characters_is_refused_in_less_than_a_millisecond() -> None:
    text = "0," * 100_000 + "0 * * * *"
    times = []
    for _ in range(20):
        start = time.perf_counter()
        with pytest.raises(InvalidSchedule, match=r"The schedule has 200009 characters\. Use at most 1024\."):
            parse(text)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.001


def test_1024_characters_are_read() -> None:
    assert parse("0".ljust(1016) + "* * * *").next_after(NOW) == datetime(2026, 5, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 0 1 1 * 2020", "0 0 31W 2 *", "@at 2100-01-01T00:00:00Z"]
)
def test_a_schedule_that_never_fires_is_refused_on_request(text: str) -> None:
    with pytest.raises(
        NeverFires, match=r"has no occurrence after 2026-05-05 00:00:00 and before the year 2100"
    ) as caught:
        require_occurrence(parse(text), NOW)
    assert caught.value.field == "schedule"


def test_an_instant_in_the_past_never_fires_again() -> None:
    with pytest.raises(NeverFires):
        require_occurrence(parse("@at 2020-01-01T00:00:00Z"), NOW)


def test_a_schedule_that_fires_rarely_or_by_hand_is_not_refused() -> None:
    require_occurrence(parse("0 0 29 2 MON", day_rule=DayRule.AND), NOW)
    require_occurrence(parse("@manual"), NOW)
    require_occurrence(parse("0 0 30 2 FRI"), NOW)


@pytest.mark.parametrize("prefix", ["TZ=Asia/Tokyo", "CRON_TZ=Asia/Tokyo", 'TZ="Asia/Tokyo"', "TZ='Asia/Tokyo'"])
def test_a_prefix_says_the_zone(prefix: str) -> None:
    for text in (f"{prefix} 0 9 * * *", f"  {prefix} \t 0 9 * * *"):
        schedule = parse(text)
        assert schedule.timezone == "Asia/Tokyo"
        assert schedule.next_after(NOW) == datetime(2026, 5, 6, tzinfo=UTC)
    assert parse(f"{prefix} @daily", "Asia/Tokyo").next_after(NOW) == datetime(2026, 5, 5, 15, tzinfo=UTC)


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin"])
def test_a_prefix_that_contradicts_the_timezone_is_refused(timezone: str) -> None:
    with pytest.raises(InvalidSchedule) as caught:
        parse("TZ=Asia/Tokyo 0 9 * * *", timezone)
    assert str(caught.value) == f"The prefix says Asia/Tokyo, and timezone says {timezone}. Keep one of them."


@pytest.mark.parametrize(
    ("zone", "remedy"),
    [
        ("Mars/Olympus", "Use a name of the tz database, such as Europe/Berlin."),
        ("europe/berlin", "Did you mean Europe/Berlin?"),
        ("new york", "Did you mean America/New_York?"),
        ("", "Use a name of the tz database, such as Europe/Berlin."),
    ],
)
def test_an_unknown_zone_is_refused_with_a_suggestion(zone: str, remedy: str) -> None:
    with pytest.raises(UnknownTimezone) as caught:
        parse("0 9 * * *", zone)
    assert caught.value.field == "timezone"
    assert caught.value.remedy == remedy


@pytest.mark.parametrize("zone", ["../../etc/passwd", "America", "Factory", "localtime", "posix/UTC", '"UTC', "''", ""])
def test_an_unknown_zone_in_the_prefix_is_refused(zone: str) -> None:
    with pytest.raises(UnknownTimezone) as caught:
        parse(f"TZ={zone} 0 9 * * *")
    assert caught.value.field == "schedule"


def test_a_schedule_keeps_its_text_and_its_zone() -> None:
    for text in ("0 9 * * *", "@every 5m", "@at 2027-01-01T00:00:00Z", "@manual"):
        schedule = parse(text, "Europe/Berlin")
        assert (schedule.text, schedule.timezone) == (text, "Europe/Berlin")
        assert parse(text).timezone == "UTC"
        assert parse(text) == parse(text)
        assert hash(parse(text)) == hash(parse(text))


def test_a_refusal_by_croniter_is_a_refusal_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(text: str, *, second_at_beginning: bool) -> None:
        raise ValueError(text, second_at_beginning)

    expression_module._expand.cache_clear()
    monkeypatch.setattr(croniter, "expand", refuse)
    with pytest.raises(InvalidSchedule):
        parse("1 2 3 4 *")


def test_the_dialect_has_a_version() -> None:
    assert DIALECT_VERSION == 1
