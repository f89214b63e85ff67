from __future__ import annotations

import locale

import pytest
from hypothesis import given, settings

from app.domain.job import DayRule
from app.domain.schedule import parse
from tests.unit.domain.schedule.oracle import CRONS, PlainCron


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * * *", "Every minute"),
        ("* * * * * *", "Every second"),
        ("*/15 * * * *", "Every 15 minutes"),
        ("@hourly", "Every hour"),
        ("@daily", "At 00:00"),
        ("30 14 * * *", "At 14:30"),
        ("7 30 14 * * *", "At 14:30:07"),
        ("0 9 * * MON-FRI", "At 09:00, on Monday through Friday"),
        ("0 9 * * FRI-MON", "At 09:00, on Friday through Monday"),
        ("0 9 * * 5-7", "At 09:00, on Friday through Sunday"),
        ("0 9 * * 7,3", "At 09:00, on Sunday and Wednesday"),
        ("0 9 * * MON-FRI/2", "At 09:00, on every 2nd day from Monday through Friday"),
        ("0 9 * * */3", "At 09:00, on every 3rd day of the week"),
        ("0 9 * * FRI#3,SUN#L", "At 09:00, on the third Friday of the month and the last Sunday of the month"),
        ("0 9 * * 7#2", "At 09:00, on the second Sunday of the month"),
        ("0 9 1 * *", "At 09:00, on day 1 of the month"),
        ("0 9 1,15 * *", "At 09:00, on day 1 and day 15 of the month"),
        ("0 9 28-3 * *", "At 09:00, on days 28 through 3 of the month"),
        ("0 9 */2 * *", "At 09:00, on every 2nd day of the month"),
        ("0 9 5/11 * *", "At 09:00, on every 11th day from days 5 through 31 of the month"),
        ("0 9 L * *", "At 09:00, on the last day of the month"),
        ("0 9 L-3 * *", "At 09:00, on the day 3 days before the last of the month"),
        ("0 9 LW * *", "At 09:00, on the last weekday (Monday to Friday) of the month"),
        (
            "0 9 1,15W * *",
            "At 09:00, on day 1 of the month and the weekday (Monday to Friday) nearest day 15 of the month",
        ),
        ("0 9 13 * FRI", "At 09:00, on day 13 of the month or on Friday"),
        ("0 9 1-31 * FRI", "At 09:00"),
        ("0 9 */2 * FRI", "At 09:00, on every 2nd day of the month if that is Friday"),
        ("0 9 * NOV-FEB *", "At 09:00, November through February"),
        ("0 0 9 1 1 ? 2027", "At 09:00, on day 1 of the month, only in January, only in 2027"),
        ("0 0 9 1 1 ? 2027/2", "At 09:00, on day 1 of the month, only in January, every 2 years, 2027 through 2099"),
        ("0 22-2 * * *", "At 0 minutes past the hour, between 22:00 and 02:59"),
        ("TZ=Europe/Berlin 0 9 * * *", "At 09:00 (Europe/Berlin)"),
        ("H H * * *", "At 19:06"),
        ("@every 1h30m", "Every 1 hour 30 minutes"),
        ("@every 172801s", "Every 2 days 1 second"),
        ("@at 2027-01-01T09:00:00+01:00", "Once, on 2027-01-01 08:00:00"),
        ("TZ=Europe/Berlin @at 2027-01-01T09:00:00+01:00", "Once, on 2027-01-01 09:00:00 (Europe/Berlin)"),
        ("@manual", "Only when triggered"),
    ],
)
def test_a_schedule_is_told_in_words(text: str, words: str) -> None:
    assert parse(text, name="nightly-report").describe() == words


def test_the_day_rule_shows() -> None:
    assert (
        parse("0 9 13 * FRI", day_rule=DayRule.AND).describe() == "At 09:00, on day 13 of the month if that is Friday"
    )


@settings(deadline=None, max_examples=100)
@given(CRONS)
def test_any_schedule_can_be_told(cron: PlainCron) -> None:
    words = parse(f"7,9-20/3 {cron.text} 2027,2030/3").describe()

    assert words[0].isupper()
    assert "error" not in words.lower()


def test_the_words_do_not_follow_the_machines_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locale, "getlocale", lambda *_: ("de_DE", "UTF-8"))

    assert parse("*/15 * * * *").describe() == "Every 15 minutes"
