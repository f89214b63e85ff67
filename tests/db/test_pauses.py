"""Pauses with a note, and pauses that end by themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from app.domain.clock import FakeClock
from app.domain.errors import InvalidInput, VersionMismatch
from tests.db.building import (
    ME,
    MINUTE,
    NOON,
    Ledger,
)
from tests.db.pausing import UNTIL, paused, spans


async def test_note_and_until_stand_on_the_job_and_in_the_ledger(ledger: Ledger) -> None:
    job = await paused(ledger, note="moving house")
    row = await ledger.jobs.get("job")
    assert (row.enabled, row.pause_note, row.paused_until) == (False, "moving house", UNTIL)
    assert (row.version, row.next_run) == (2, None)
    assert await spans(ledger, job) == [(NOON, None, "paused", "moving house")]
    assert [span.paused_until for span in await ledger.spans_of(job)] == [UNTIL]


async def test_a_resume_clears_both_and_the_span_keeps_the_note(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger, note="moving house")
    clock.step(MINUTE)
    row = await ledger.jobs.set_enabled("job", enabled=True)
    assert (row.pause_note, row.paused_until, row.next_run) == (None, None, NOON + 2 * MINUTE)
    assert await spans(ledger, job) == [(NOON, NOON + MINUTE, "paused", "moving house")]
    assert [span.paused_until for span in await ledger.spans_of(job)] == [UNTIL]
    clock.step(20 * MINUTE)
    assert await ledger.pauses.end_due() == []


async def test_a_replacement_that_is_enabled_clears_both(ledger: Ledger) -> None:
    job = await paused(ledger, note="moving house")
    row, _ = await ledger.jobs.replace(job.definition())
    assert (row.enabled, row.pause_note, row.paused_until) == (True, None, None)


async def test_another_change_of_a_paused_job_keeps_both(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger, note="moving house")
    clock.step(MINUTE)
    row = await ledger.patch("job", description="new")
    assert (row.enabled, row.pause_note, row.paused_until) == (False, "moving house", UNTIL)
    assert await spans(ledger, job) == [
        (NOON, NOON + MINUTE, "paused", "moving house"),
        (NOON + MINUTE, None, "paused", "moving house"),
    ]


async def test_pausing_again_says_it_anew(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger, note="one")
    clock.step(MINUTE)
    row = await ledger.jobs.set_enabled("job", enabled=False, note="other")
    assert (row.version, row.pause_note, row.paused_until) == (3, "other", None)
    assert await spans(ledger, job) == [
        (NOON, NOON + MINUTE, "paused", "one"),
        (NOON + MINUTE, None, "paused", "other"),
    ]
    clock.step(20 * MINUTE)
    assert await ledger.pauses.end_due() == []


async def test_saying_the_same_again_changes_nothing(ledger: Ledger, clock: FakeClock) -> None:
    job = await paused(ledger, note="one")
    before = await ledger.jobs.get("job")
    clock.step(MINUTE)
    assert await ledger.jobs.set_enabled("job", enabled=False, note="one", until=UNTIL) == before
    assert len(await ledger.spans_of(job)) == 1


@pytest.mark.parametrize("until", [NOON, NOON - MINUTE, NOON - timedelta(days=9000)])
async def test_a_pause_until_the_past_is_refused(ledger: Ledger, until: datetime) -> None:
    job = await ledger.create()
    with pytest.raises(InvalidInput, match="until is past") as caught:
        await ledger.jobs.set_enabled("job", enabled=False, until=until)
    assert caught.value.field == "until"
    assert "leave it out" in str(caught.value.remedy)
    assert await ledger.jobs.get("job") == job


async def test_a_pause_is_made_for_the_version_that_was_seen(ledger: Ledger) -> None:
    await paused(ledger)
    with pytest.raises(VersionMismatch):
        await ledger.jobs.set_enabled("job", enabled=False, note="late", if_version=1)


async def test_a_paused_job_is_triggered_and_its_run_is_called(ledger: Ledger) -> None:
    await paused(ledger)
    run = await ledger.runs.trigger("job")
    assert len((await ledger.starts.start(ME, ledger.heard.queued[-1:])).begun) == 1
    assert run.state == "pending"
