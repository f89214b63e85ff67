"""A change of a calendar is a change of the jobs that name it: what is due goes by the calendar as it was."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.db.policies import dump_policies
from app.domain.clock import FakeClock
from app.domain.errors import (
    CalendarInUse,
)
from app.domain.policies import Misfire, MisfirePolicy
from app.service import calendars
from tests.db.building import (
    ME,
    MINUTE,
    NOON,
    SECOND,
    Ledger,
    every_instant_is_accounted_for,
    minutes,
    roomy,
)
from tests.db.leaving_out import HOLIDAYS, TODAY, TODAYS_REASON, TOMORROW, calendar, leaving_out, told
from tests.db.locks import gate


async def test_what_is_due_goes_by_the_calendar_as_it_was(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.calendars.create(calendar(TODAY))
    policies = leaving_out(HOLIDAYS, misfire=Misfire(policy=MisfirePolicy.ALL))
    job = await ledger.create(**policies)
    clock.step(3 * MINUTE)
    await ledger.calendars.replace(calendar(TOMORROW))
    assert told(await ledger.runs_of(job)) == [("skipped", TODAYS_REASON)] * 3
    clock.step(2 * MINUTE)
    await ledger.calendars.replace(calendar(TODAY))
    assert told(await ledger.runs_of(job))[3:] == [("pending", None)] * 2
    assert [each.ledger_at for each in ledger.heard.queued] == minutes(NOON + 4 * MINUTE, 2)
    clock.step(MINUTE)
    await ledger.claim(clock.now(), job)
    assert told(await ledger.runs_of(job))[5:] == [("skipped", TODAYS_REASON)]
    assert [run.job_version for run in await ledger.runs_of(job)] == [1, 1, 1, 2, 2, 3]
    assert (await ledger.row_of(job)).runs_made == 2
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 6))


async def test_what_was_planned_under_the_calendar_as_it_was_loses(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.calendars.create(calendar())
    user, other = await ledger.create("user", **leaving_out(HOLIDAYS)), await ledger.create("other")
    due = NOON + MINUTE
    planned = [await ledger.candidate(job, due) for job in (user, other)]
    await ledger.calendars.replace(calendar(TODAY))
    clock.step(MINUTE)
    claims = await ledger.claims.claim(ME, planned, roomy())
    assert ([each.job.name for each in claims.stale], [each.job.name for each in claims.won]) == (["user"], ["other"])
    assert await ledger.runs_of(user) == []
    await ledger.claim(due, user)
    assert told(await ledger.runs_of(user)) == [("skipped", TODAYS_REASON)]


async def test_a_change_is_a_version_of_each_job_that_names_the_calendar(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.calendars.create(calendar())
    user = await ledger.create("user", **leaving_out(HOLIDAYS, TODAY))
    paused = await ledger.create("paused", enabled=False, **leaving_out(HOLIDAYS))
    other = await ledger.create("other", **leaving_out(TODAY))
    clock.step(SECOND)
    seen = await ledger.rows.time()
    await ledger.calendars.replace(calendar(TODAY))
    assert [(await ledger.row_of(job)).version for job in (user, paused, other)] == [2, 2, 1]
    assert await ledger.rows.changed_since(seen) == [user.id, paused.id]
    first, second = await ledger.versions_of(user)
    assert (first.effective_until, second.effective_from, second.effective_until) == (seen, seen, None)
    assert [each.definition["calendars"] for each in (first, second)] == [{"holidays": 1}, {"holidays": 2}]
    assert second.definition["policies"] == dump_policies(user.policies)
    assert "calendars" not in (await ledger.versions_of(other))[0].definition
    assert ledger.heard.many == 1


async def test_a_change_that_is_none_touches_no_job(ledger: Ledger) -> None:
    await ledger.calendars.create(calendar(TODAY))
    job = await ledger.create(**leaving_out(HOLIDAYS))
    await ledger.calendars.replace(calendar(TODAY))
    assert (await ledger.row_of(job)).version == 1


async def test_a_stretch_in_which_a_job_stands_still_goes_on(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.calendars.create(calendar())
    job = await ledger.create(**leaving_out(HOLIDAYS))
    clock.step(MINUTE)
    await ledger.jobs.set_enabled("job", enabled=False)
    clock.step(MINUTE)
    await ledger.calendars.replace(calendar(TODAY))
    clock.step(MINUTE)
    await ledger.jobs.set_enabled("job", enabled=True)
    clock.step(MINUTE)
    await ledger.claim(clock.now(), job)
    [span] = await ledger.spans_of(job)
    assert (span.count, span.reason, span.until) == (2, "paused", NOON + 3 * MINUTE)
    assert told(await ledger.runs_of(job)) == [("pending", None), ("skipped", TODAYS_REASON)]
    await every_instant_is_accounted_for(ledger, job, minutes(NOON + MINUTE, 4))


async def test_a_pause_that_is_over_is_ended_first(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.calendars.create(calendar(TODAY))
    job = await ledger.create(**leaving_out(HOLIDAYS))
    await ledger.jobs.set_enabled("job", enabled=False, until=NOON + 90 * SECOND)
    clock.step(2 * MINUTE)
    await ledger.calendars.replace(calendar())
    [span] = await ledger.spans_of(job)
    assert (span.until, span.count) == (NOON + 90 * SECOND, 1)
    assert told(await ledger.runs_of(job)) == [("skipped", TODAYS_REASON)]
    row = await ledger.row_of(job)
    assert (row.next_run, row.version, row.enabled) == (NOON + 3 * MINUTE, 4, True)


async def test_jobs_share_what_a_calendar_excludes_until_it_changes(ledger: Ledger) -> None:
    await ledger.calendars.create(calendar(TODAY))
    jobs = [await ledger.create(name, **leaving_out(HOLIDAYS)) for name in ("a", "b")]

    async def sources() -> list[Any]:
        return [row.exclusions.sources[0] for row in await ledger.rows.enabled_page(0, 10)]

    first = await sources()
    assert first[0] is first[1]
    assert (await ledger.rows.enabled_among([jobs[0].id]))[0].exclusions.sources[0] is first[0]
    await ledger.calendars.replace(calendar())
    second = await sources()
    assert second[0] is second[1] is not first[0]
    assert second[0].covers(NOON) is None


async def test_a_change_between_reading_jobs_and_calendars_leaves_nothing_that_could_win(
    ledger: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await ledger.calendars.create(calendar())
    job = await ledger.create(**leaving_out(HOLIDAYS))
    shared = ledger.rows._calendars
    read = shared.read

    async def read_and_change(*asked: Any) -> Any:
        found = await read(*asked)
        await rival.calendars.replace(calendar(TODAY))
        return found

    shared.read = read_and_change  # type: ignore[assignment,method-assign]
    candidate = await ledger.candidate(job, NOON + MINUTE)
    clock.step(MINUTE)
    assert (await ledger.claims.claim(ME, [candidate], roomy())).stale == [candidate]


async def test_a_calendar_that_was_made_anew_is_another(ledger: Ledger) -> None:
    await ledger.calendars.create(calendar(TODAY))
    job = await ledger.create(**leaving_out(HOLIDAYS))
    await ledger.rows.enabled_among([job.id])
    await ledger.patch("job", **leaving_out())
    await ledger.calendars.delete("holidays")
    await ledger.calendars.create(calendar(TOMORROW))
    await ledger.patch("job", **leaving_out(HOLIDAYS))
    [row] = await ledger.rows.enabled_among([job.id])
    assert row.exclusions.covers(NOON) is None
    assert row.exclusions.covers(NOON + timedelta(days=1)) is not None


async def test_a_job_whose_calendar_vanished_is_settled_as_a_span_that_nobody_can_count(
    ledger: Ledger, clock: FakeClock
) -> None:
    await ledger.calendars.create(calendar())
    job = await ledger.create(**leaving_out(HOLIDAYS))
    await ledger.execute("DELETE FROM calendars")
    clock.step(2 * MINUTE)
    await ledger.patch("job", **leaving_out())
    [span] = await ledger.spans_of(job)
    assert (span.count, span.reason) == (None, "unschedulable")
    assert (await ledger.row_of(job)).next_run == NOON + 3 * MINUTE


async def test_a_job_that_comes_to_name_the_calendar_meanwhile_is_changed_with_it(
    contended: Ledger, rival: Ledger
) -> None:
    """The job's transaction waits before its commit, holding the calendar; the change waits for it, and looks again."""
    await contended.calendars.create(calendar())
    async with gate(contended.url, "LOCK TABLE job_versions IN SHARE MODE") as held:
        making = asyncio.create_task(rival.create(**leaving_out(HOLIDAYS)))
        await held.until_waiting(1)
        changing = asyncio.create_task(contended.calendars.replace(calendar(TODAY)))
        await held.until_waiting(2)
        assert not changing.done()
    job = await making
    await changing
    assert (await contended.row_of(job)).version == 2
    assert [each.definition["calendars"] for each in await contended.versions_of(job)] == [
        {"holidays": 1},
        {"holidays": 2},
    ]


async def test_a_job_that_comes_to_name_the_calendar_meanwhile_keeps_it(contended: Ledger, rival: Ledger) -> None:
    await contended.calendars.create(calendar())
    async with gate(contended.url, "LOCK TABLE job_versions IN SHARE MODE") as held:
        making = asyncio.create_task(rival.create(**leaving_out(HOLIDAYS)))
        await held.until_waiting(1)
        deleting = asyncio.create_task(contended.calendars.delete("holidays"))
        await held.until_waiting(2)
    await making
    with pytest.raises(CalendarInUse):
        await deleting


async def test_a_change_reaches_more_jobs_than_a_batch_has(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendars, "BATCH", 2)
    await ledger.calendars.create(calendar())
    jobs = [await ledger.create(f"job-{number}", **leaving_out(HOLIDAYS)) for number in range(5)]
    await ledger.calendars.replace(calendar(TODAY))
    assert [(await ledger.row_of(job)).version for job in jobs] == [2] * 5
    assert [len(await ledger.versions_of(job)) for job in jobs] == [2] * 5
