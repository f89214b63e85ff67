"""Calendars over every store, and the jobs that name them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.domain.clock import FakeClock
from app.domain.errors import (
    CalendarInUse,
    CalendarNotFound,
    InvalidCalendar,
    NameTaken,
    UnknownCalendar,
    UnknownTimezone,
    VersionMismatch,
)
from app.domain.exclude import Interval
from tests.db.building import (
    MINUTE,
    NOON,
    SECOND,
    Ledger,
    states,
)
from tests.db.leaving_out import HOLIDAYS, TODAY, TODAYS_REASON, TOMORROW, calendar, leaving_out, told


async def test_a_calendar_is_kept_as_it_was_given(ledger: Ledger) -> None:
    entries = (TODAY, Interval(NOON, NOON + MINUTE, "a"), TOMORROW, TODAY)
    made = await ledger.calendars.create(calendar(*entries, timezone="Asia/Tokyo", description="d"))
    assert await ledger.calendars.get("holidays") == made
    assert made.definition() == calendar(*entries, timezone="Asia/Tokyo", description="d")
    assert (made.version, made.created_at, made.updated_at) == (1, NOON, NOON)


async def test_names_are_unique_and_zones_known(ledger: Ledger) -> None:
    await ledger.calendars.create(calendar())
    with pytest.raises(NameTaken, match="holidays"):
        await ledger.calendars.create(calendar())
    for keep in (ledger.calendars.create, ledger.calendars.replace):
        with pytest.raises(UnknownTimezone):
            await keep(calendar(name="other", timezone="No/Zone"))


async def test_a_calendar_is_made_or_replaced(ledger: Ledger, clock: FakeClock) -> None:
    made, new = await ledger.calendars.replace(calendar(TODAY))
    assert (made.version, new) == (1, True)
    assert await ledger.calendars.replace(calendar(TODAY)) == (made, False)
    clock.step(SECOND)
    changed, new = await ledger.calendars.replace(calendar(TOMORROW, timezone="Asia/Tokyo"))
    assert (changed.version, new, changed.updated_at) == (2, False, NOON + SECOND)
    assert await ledger.calendars.get("holidays") == changed


async def test_a_version_that_is_not_the_calendars_changes_nothing(ledger: Ledger) -> None:
    with pytest.raises(VersionMismatch):
        await ledger.calendars.replace(calendar(), if_version=1)
    await ledger.calendars.create(calendar())
    with pytest.raises(VersionMismatch):
        await ledger.calendars.replace(calendar(TODAY), if_version=2)
    with pytest.raises(VersionMismatch):
        await ledger.calendars.delete("holidays", if_version=2)
    with pytest.raises(VersionMismatch):
        await ledger.calendars.read("holidays", ICS, if_version=2)
    assert (await ledger.calendars.get("holidays")).entries == ()
    await ledger.calendars.replace(calendar(TODAY), if_version=1)
    await ledger.calendars.delete("holidays", if_version=2)


async def test_pages_are_by_name_and_tell_how_many_entries_there_are(ledger: Ledger) -> None:
    for name, entries in (("b", (TODAY, TOMORROW)), ("a", ()), ("c", (TODAY,))):
        await ledger.calendars.create(calendar(*entries, name=name))
    page = await ledger.calendars.page(None, 2)
    assert [(each.name, each.size) for each in page] == [("a", 0), ("b", 2)]
    assert [each.name for each in await ledger.calendars.page("b", 2)] == ["c"]


async def test_what_is_not_there_is_not_found(ledger: Ledger) -> None:
    for attempt in (
        ledger.calendars.get("none"),
        ledger.calendars.delete("none"),
        ledger.calendars.edit("none", lambda each: each.definition()),
        ledger.calendars.read("none", ICS),
    ):
        with pytest.raises(CalendarNotFound):
            await attempt


ICS = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20270301T130000\nDURATION:PT1H\nEND:VEVENT\nEND:VCALENDAR\n"


async def test_a_file_is_read_in_the_calendars_zone_and_takes_the_place_of_its_entries(ledger: Ledger) -> None:
    await ledger.calendars.create(calendar(TODAY, timezone="Europe/Berlin", description="kept"))
    filled = await ledger.calendars.read("holidays", ICS)
    assert filled.entries == (Interval(NOON, NOON + 60 * MINUTE),)
    assert (filled.version, filled.timezone, filled.description) == (2, "Europe/Berlin", "kept")
    with pytest.raises(InvalidCalendar):
        await ledger.calendars.read("holidays", b"nothing")
    assert await ledger.calendars.get("holidays") == filled


async def test_a_file_is_read_again_where_the_zone_changes_meanwhile(ledger: Ledger) -> None:
    await ledger.calendars.create(calendar(timezone="Europe/Berlin"))
    edit, zones = ledger.calendars.edit, ["Asia/Tokyo"]

    async def edit_late(*args: Any, **more: Any) -> Any:
        if zones:
            await edit("holidays", lambda each: replace(each.definition(), timezone=zones.pop()))
        return await edit(*args, **more)

    ledger.calendars.edit = edit_late  # type: ignore[method-assign]
    filled = await ledger.calendars.read("holidays", ICS)
    assert filled.entries == (Interval(NOON - 8 * 60 * MINUTE, NOON - 7 * 60 * MINUTE),)


async def test_a_job_may_not_name_a_calendar_that_is_not_there(ledger: Ledger) -> None:
    with pytest.raises(UnknownCalendar, match="holidays") as caught:
        await ledger.create(**leaving_out(HOLIDAYS))
    assert (caught.value.field, "PUT /v1/calendars/holidays" in str(caught.value.remedy)) == ("exclude", True)
    await ledger.create()
    with pytest.raises(UnknownCalendar):
        await ledger.patch("job", **leaving_out(TODAY, HOLIDAYS))
    assert (await ledger.jobs.get("job")).policies.exclude == ()


async def test_a_calendar_that_jobs_name_stays(ledger: Ledger) -> None:
    await ledger.calendars.create(calendar())
    for number in range(7):
        await ledger.create(f"job-{number}", **leaving_out(TODAY, HOLIDAYS), enabled=number > 0)
    with pytest.raises(CalendarInUse, match=r"The jobs job-0, job-1, job-2, job-3, job-4 and 2 more name the calendar"):
        await ledger.calendars.delete("holidays")
    for number in range(1, 7):
        await ledger.jobs.delete(f"job-{number}")
    with pytest.raises(CalendarInUse, match="The job job-0 names the calendar holidays"):
        await ledger.calendars.delete("holidays")
    await ledger.patch("job-0", **leaving_out(TODAY))
    await ledger.calendars.delete("holidays")


async def test_what_is_excluded_is_skipped_and_the_job_waits_for_the_next(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.calendars.create(calendar(TODAY))
    job = await ledger.create(**leaving_out(HOLIDAYS, max_runs=1))
    clock.step(MINUTE)
    assert job.next_run == clock.now()
    claims = await ledger.claim(clock.now(), job)
    assert (claims.started, claims.queued) == ([], [])
    assert told(await ledger.runs_of(job)) == [("skipped", TODAYS_REASON)]
    row = await ledger.row_of(job)
    assert (row.next_run, row.runs_made, row.completed) == (NOON + 2 * MINUTE, 0, False)


async def test_a_jobs_own_days_are_read_in_its_zone(ledger: Ledger, clock: FakeClock) -> None:
    own = await ledger.create(timezone="Pacific/Kiritimati", **leaving_out(TOMORROW))
    utc = await ledger.create("utc", **leaving_out(TOMORROW))
    clock.step(MINUTE)
    await ledger.claim(clock.now(), own, utc)
    assert told(await ledger.runs_of(own)) == [("skipped", "excluded: 2027-03-02")]
    assert states(await ledger.runs_of(utc)) == ["running"]
