"""A clock that goes back between two changes: a job changes no earlier than what its ledger accounts for already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.policies import Misfire, Policies
from tests.db.building import MINUTE, NOON, SECOND, Ledger, every_instant_is_accounted_for, minutes

Change = Callable[[Ledger], Awaitable[Any]]

CHANGES: dict[str, Change] = {
    "edit": lambda ledger: ledger.patch("job", description="new"),
    "reschedule": lambda ledger: ledger.patch("job", schedule="*/3 * * * *"),
    "pause": lambda ledger: ledger.jobs.set_enabled("job", enabled=False),
    "resume": lambda ledger: ledger.jobs.set_enabled("job", enabled=True),
    "delete": lambda ledger: ledger.jobs.delete("job"),
    "switch off": lambda ledger: ledger.switch.pause(),
    "switch on": lambda ledger: ledger.switch.resume(),
}

SET_BACK = 90 * SECOND
DUE, END = minutes(NOON + MINUTE, 4), NOON + 6 * MINUTE


async def set_back_and_change(ledger: Ledger, clock: FakeClock, change: str) -> None:
    clock.step(-SET_BACK)
    await CHANGES[change](ledger)


async def go_on(ledger: Ledger, clock: FakeClock, job: PersistedJob, until: datetime) -> None:
    """Claim each occurrence on time, for as long as the job waits for any."""
    while (rows := await ledger.rows.enabled_among([job.id])) and rows[0].next_run <= until:
        clock.step(rows[0].next_run - clock.now())
        assert (await ledger.claim(clock.now(), job)).won


def due_with(change: str) -> list[datetime]:
    """Every minute until 12:06, as far as the job goes on."""
    return {"edit": minutes(DUE[0], 6), "reschedule": [*DUE, END]}.get(change, DUE)


@pytest.mark.parametrize("change", ["edit", "reschedule", "pause", "switch off"])
async def test_what_was_claimed_is_accounted_for_once(ledger: Ledger, clock: FakeClock, change: str) -> None:
    job = await ledger.create()
    await go_on(ledger, clock, job, DUE[-1])
    await set_back_and_change(ledger, clock, change)
    await go_on(ledger, clock, job, END)
    await every_instant_is_accounted_for(ledger, job, due_with(change))
    assert (await ledger.row_of(job)).runs_made == len(due_with(change))


@pytest.mark.parametrize("change", ["edit", "reschedule", "pause", "switch off"])
async def test_what_a_span_covers_is_accounted_for_once(ledger: Ledger, clock: FakeClock, change: str) -> None:
    """The span is of the stop switch, which begins no version."""
    job = await ledger.create()
    await ledger.switch.pause()
    clock.step(DUE[-1] - NOON)
    await ledger.switch.resume()
    await set_back_and_change(ledger, clock, change)
    await go_on(ledger, clock, job, END)
    await every_instant_is_accounted_for(ledger, job, due_with(change))


@pytest.mark.parametrize("change", ["edit", "reschedule", "pause", "switch off"])
async def test_what_was_missed_is_accounted_for_once(ledger: Ledger, clock: FakeClock, change: str) -> None:
    """Only the last occurrence has a row, and the clock goes back to before those of the span."""
    job = await ledger.create(policies=Policies(misfire=Misfire(grace_seconds=0, window_seconds=30, max=1)))
    clock.step(DUE[-1] - NOON)
    await ledger.claim(clock.now(), job)
    assert len(await ledger.spans_of(job)) == 1
    clock.step(-MINUTE)
    await set_back_and_change(ledger, clock, change)
    await go_on(ledger, clock, job, END)
    await every_instant_is_accounted_for(ledger, job, due_with(change))


@pytest.mark.parametrize(
    ("first", "second"),
    [("pause", "resume"), ("pause", "edit"), ("pause", "delete"), ("switch off", "switch on")],
)
async def test_a_stretch_never_ends_before_it_began(ledger: Ledger, clock: FakeClock, first: str, second: str) -> None:
    job = await ledger.create()
    clock.step(DUE[-1] - NOON)
    await CHANGES[first](ledger)
    await set_back_and_change(ledger, clock, second)
    await every_instant_is_accounted_for(ledger, job, DUE)
    assert [span.until for span in await ledger.spans_of(job) if span.until is not None] == [DUE[-1]]


@pytest.mark.parametrize("second", ["edit", "pause", "delete"])
async def test_a_version_never_ends_before_it_began(ledger: Ledger, clock: FakeClock, second: str) -> None:
    job = await ledger.create()
    clock.step(30 * SECOND)
    await CHANGES["reschedule"](ledger)
    await set_back_and_change(ledger, clock, second)
    began = NOON + 30 * SECOND
    until = [version.effective_until for version in await ledger.versions_of(job)]
    assert until == [began, began] + [None] * (second != "delete")


async def test_what_people_started_keeps_no_change_waiting(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="*/2 * * * *")
    clock.step(MINUTE + 30 * SECOND)
    await ledger.runs.trigger("job")
    await set_back_and_change(ledger, clock, "edit")
    assert (await ledger.row_of(job)).updated_at == NOON
    await go_on(ledger, clock, job, DUE[-1])
    await every_instant_is_accounted_for(ledger, job, DUE[1::2])
