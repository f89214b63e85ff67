"""An independent implementation of Debian cron's rule agrees where both speak."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.schedule import load_zone, parse
from tests.unit.domain.schedule.oracle import CRONS, PlainCron, daily_near

ZONES = [
    "America/Chicago",
    "America/Halifax",
    "America/Los_Angeles",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Australia/Adelaide",
    "Australia/Sydney",
    "Europe/Athens",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/London",
    "Pacific/Auckland",
    "UTC",
]
"""Zones whose clocks change by an hour, at night and not at midnight. In gaps of half an hour, and where a change
touches midnight, cronsim errs or never returns; there the plain oracle is asked instead."""

CHANGES = [datetime(2026, 3, 8), datetime(2026, 3, 29), datetime(2026, 4, 5), datetime(2026, 9, 27)]
CHANGES += [datetime(2026, 10, 4), datetime(2026, 10, 25), datetime(2026, 11, 1)]

zones = st.sampled_from(ZONES)
anytime = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))


def by_cronsim(text: str, zone: str, t: datetime, *, reverse: bool) -> list[datetime]:
    simulation = CronSim(text, t.astimezone(load_zone(zone)), reverse=reverse)
    return [found.astimezone(UTC) for found, _ in zip(simulation, range(8), strict=False)]


def assert_agreement(cron: PlainCron, zone: str, t: datetime) -> None:
    """A start in the second pass of an overlap is left out: from there cronsim finds times that have gone by."""
    if t.astimezone(load_zone(zone)).fold:
        return
    try:
        later = by_cronsim(cron.text, zone, t, reverse=False)
        earlier = by_cronsim(cron.text, zone, t, reverse=True)
    except CronSimError:
        return
    schedule = parse(cron.text, zone)
    at = t
    for found in later:
        assert schedule.next_after(at) == found
        at = found
    at = t
    for found in earlier:
        assert schedule.previous_before(at) == found
        at = found


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(CRONS, zones, anytime)
def test_cronsim_agrees_at_any_time(cron: PlainCron, zone: str, t: datetime) -> None:
    assert_agreement(cron, zone, t)


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(zones, st.sampled_from(CHANGES), st.integers(-40, 40), st.data())
def test_cronsim_agrees_around_changes_of_the_clock(zone: str, day: datetime, hours: int, data: st.DataObject) -> None:
    t = day.replace(tzinfo=UTC) + timedelta(hours=hours)
    cron = data.draw(daily_near(day.replace(hour=2, tzinfo=load_zone(zone)), load_zone(zone)))
    assert_agreement(cron, zone, t)
