"""Every zone of the tz database, around each change of its clock from 2025 to 2027."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from app.domain.job import DstGap, DstOverlap
from app.domain.schedule import load_zone, parse, timezones
from tests.unit.domain.schedule.oracle import EVERY, Plain, PlainCron, enumerate_occurrences, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from app.domain.schedule import Schedule

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
YEARS = datetime(2025, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)

ALL_HOURS = Plain("0-23", frozenset(range(24)))
TWICE_AN_HOUR = Plain("15,45", frozenset({15, 45}))
FIXED = PlainCron(TWICE_AN_HOUR, ALL_HOURS, *EVERY)
FLOATING = PlainCron(TWICE_AN_HOUR, Plain("*", frozenset(range(24))), *EVERY)

REGIONS = sorted({name.partition("/")[0] if "/" in name else "" for name in timezones()})


def changes(zone: ZoneInfo) -> Iterator[datetime]:
    """The instants at which the zone's offset changes; a zone without any gets an ordinary one instead."""
    found = False
    for day in ticks(YEARS[0], YEARS[1], DAY):
        if day.astimezone(zone).utcoffset() != (day + DAY).astimezone(zone).utcoffset():
            before = day.astimezone(zone).utcoffset()
            found = True
            yield next(at for at in ticks(day, day + DAY, QUARTER) if at.astimezone(zone).utcoffset() != before)
    if not found:
        yield YEARS[0]


def forward(schedule: Schedule, first: datetime, last: datetime) -> list[datetime]:
    found, at = [], schedule.next_after(first - QUARTER / 2)
    while at is not None and at <= last:
        found.append(at)
        at = schedule.next_after(at)
    return found


def back(schedule: Schedule, first: datetime, last: datetime) -> list[datetime]:
    found, at = [], schedule.previous_before(last + QUARTER / 2)
    while at is not None and at >= first:
        found.append(at)
        at = schedule.previous_before(at)
    return found[::-1]


@pytest.mark.parametrize("region", REGIONS)
def test_every_zone_keeps_debian_crons_rule(region: str) -> None:
    for name in sorted(timezones()):
        if (name.partition("/")[0] if "/" in name else "") != region:
            continue
        for change in changes(load_zone(name)):
            first, last = change - timedelta(hours=5), change + timedelta(hours=5)
            for cron in (FIXED, FLOATING):
                expected = enumerate_occurrences(cron, load_zone(name), first, last, step=QUARTER)
                schedule = parse(cron.text, name)
                assert forward(schedule, first, last) == expected, (name, cron.text)
                assert back(schedule, first, last) == expected, (name, cron.text)
                assert schedule.count_between(first - QUARTER / 2, last) == len(expected), (name, cron.text)


@pytest.mark.parametrize("overlap", DstOverlap)
@pytest.mark.parametrize("gap", DstGap)
@pytest.mark.parametrize(
    "name",
    ["Africa/Casablanca", "America/Havana", "America/Nuuk", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Chatham"],
)
def test_every_option_holds_where_clocks_change_oddly(name: str, gap: DstGap, overlap: DstOverlap) -> None:
    schedule = parse(FIXED.text, name, dst_gap=gap, dst_overlap=overlap)
    for change in changes(load_zone(name)):
        first, last = change - timedelta(hours=5), change + timedelta(hours=5)
        expected = enumerate_occurrences(FIXED, load_zone(name), first, last, gap, overlap, QUARTER)
        assert forward(schedule, first, last) == expected
        assert back(schedule, first, last) == expected
        assert schedule.count_between(first - QUARTER / 2, last) == len(expected)
