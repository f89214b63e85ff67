from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from app.domain.clock import FakeClock
from app.domain.misfire import plan
from app.domain.policies import Misfire, Policies
from app.domain.recurrence import Recurrence
from app.domain.replica import Peer
from app.scheduler import ticker as ticker_module
from tests.unit.scheduler.building import HOUR, MINUTE, NOON, OTHER, SECOND, job, pass_time, turns
from tests.unit.scheduler.fake_store import FakeStore, away
from tests.unit.scheduler.fake_target import FakeTarget
from tests.unit.scheduler.ticking import LOOPS, Rig


@pytest.fixture
async def rig(clock: FakeClock, store: FakeStore, target: FakeTarget) -> AsyncIterator[Rig]:
    made = Rig(clock, store, target)
    yield made
    for event in store.held.values():
        event.set()
    await made.stop()


async def test_what_is_due_is_claimed_and_called(rig: Rig) -> None:
    rig.put(job(1, NOON + 2 * SECOND))
    await rig.start()
    await pass_time(rig.clock, 1.9, LOOPS, step=0.1)
    assert rig.store.calls.count("claim") == 0
    await pass_time(rig.clock, 0.1, LOOPS, step=0.1)
    [call] = await rig.target.wait_for(1)
    assert call.scheduled_for == NOON + 2 * SECOND
    assert rig.next_of(1) == NOON + MINUTE


async def test_each_occurrence_is_called_once(rig: Rig) -> None:
    rig.put(job(1, NOON, "* * * * * *"))
    await rig.start()
    await pass_time(rig.clock, 30, LOOPS, step=0.5)
    await turns()
    assert rig.called_at() == [NOON + n * SECOND for n in range(31)]


async def test_many_jobs_that_are_due_at_once_are_claimed_in_batches(rig: Rig) -> None:
    for number in range(1, 2 * ticker_module.BATCH + 2):
        rig.put(job(number))
    await rig.start()
    assert rig.store.calls.count("claim") == 3
    assert rig.entries.next_wakeup() == NOON + MINUTE


async def test_it_is_behind_until_all_that_is_due_is_claimed(rig: Rig) -> None:
    await rig.time.look()
    rig.put(job(1))
    assert rig.ticker.is_behind()
    rig.store.held["claim"] = asyncio.Event()
    rig.ticker.loop.start()
    await rig.store.until_called("claim")
    assert rig.ticker.is_behind()
    rig.store.held["claim"].set()
    await rig.clock.block_until(1)
    assert not rig.ticker.is_behind()


async def test_a_loop_that_is_woken_an_hour_late_accounts_for_every_occurrence(rig: Rig) -> None:
    rig.put(job(1, NOON))
    await rig.start()
    await rig.clock.advance(HOUR + 30 * SECOND)
    await rig.clock.block_until(LOOPS)
    await rig.target.wait_for(3)
    assert rig.called_at() == [NOON, NOON + 59 * MINUTE, NOON + HOUR]
    assert rig.next_of(1) == NOON + HOUR + MINUTE


@pytest.mark.parametrize("grace", [60.0, 86400.0])
async def test_what_is_late_does_not_hold_up_what_is_on_time(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, grace: float
) -> None:
    """The plan for a long hole is held up in its thread, whatever the grace; meanwhile the other job goes on."""
    planning = threading.Event()

    def slow_plan(recurrence: Recurrence, *rest: Any) -> object:
        if recurrence.schedule == "@daily":
            assert threading.current_thread() is not threading.main_thread()
            assert planning.wait(10)
        return plan(recurrence, *rest)

    monkeypatch.setattr(ticker_module, "plan", slow_plan)
    policies = Policies(misfire=Misfire(grace_seconds=grace))
    rig.put(replace(job(1, NOON - 12 * HOUR, "@daily"), policies=policies))
    rig.put(job(2, NOON, "* * * * * *"))
    await rig.time.look()
    rig.ticker.loop.start()
    rig.ticker.late_loop.start()
    await pass_time(rig.clock, 5, 1)
    await turns()
    assert rig.called_at() == [NOON + n * SECOND for n in range(6)]
    planning.set()
    await rig.clock.block_until(LOOPS)
    await rig.target.wait_for(7)
    assert min(rig.called_at()) == NOON - 12 * HOUR


async def test_what_is_late_waits_for_leave_too(rig: Rig) -> None:
    rig.store.before["claim"] = [away()]
    rig.put(job(1, NOON - HOUR))
    await rig.start()
    assert rig.next_of(1) == NOON - HOUR
    rig.ticker._late.extend(rig.entries.due(NOON, 1))
    rig.allowed = False
    await pass_time(rig.clock, 5, LOOPS)
    assert (rig.store.calls.count("claim"), rig.next_of(1)) == (1, None)
    rig.allowed = True
    await pass_time(rig.clock, 1, LOOPS)
    await rig.target.wait_for(2)


async def test_a_late_entry_whose_planning_is_cut_off_is_given_back(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = threading.Event(), threading.Event()

    def slow_plan(*_: object) -> object:
        begun.set()
        assert ended.wait(10)
        raise ZeroDivisionError

    monkeypatch.setattr(ticker_module, "plan", slow_plan)
    rig.put(job(1, NOON - HOUR))
    await rig.time.look()
    rig.ticker.loop.start()
    rig.ticker.late_loop.start()
    assert await asyncio.to_thread(begun.wait, 10)
    task = rig.ticker.late_loop._task
    assert task is not None
    task.cancel()
    await asyncio.wait([task])
    ended.set()
    assert rig.next_of(1) == NOON - HOUR


async def test_an_entry_that_was_late_is_due_again_in_time(rig: Rig) -> None:
    """The loop for what is on time may have gone to sleep meanwhile, for longer than that."""
    rig.store.held["claim"] = asyncio.Event()
    rig.put(job(1, NOON - HOUR, "* * * * * *"))
    await rig.clock.advance(0.9 * SECOND)
    await rig.time.look()
    rig.ticker.loop.start()
    rig.ticker.late_loop.start()
    await rig.store.until_called("claim")
    await rig.clock.block_until(1)
    rig.store.held.pop("claim").set()
    await rig.clock.block_until(LOOPS)
    assert rig.next_of(1) == NOON + SECOND
    await pass_time(rig.clock, 0.1, LOOPS, step=0.1)
    await turns()
    assert max(rig.called_at()) == NOON + SECOND


async def test_nothing_is_claimed_without_leave(rig: Rig) -> None:
    rig.allowed = False
    rig.put(job(1))
    await rig.start()
    await pass_time(rig.clock, 10, LOOPS)
    assert (rig.store.calls.count("claim"), rig.next_of(1)) == (0, NOON)


async def test_an_edit_wakes_nothing_that_was_due_under_the_old_version(rig: Rig) -> None:
    rig.put(job(1, NOON + MINUTE))
    await rig.start()
    rig.put(job(1, NOON + 2 * MINUTE, version=2))
    await pass_time(rig.clock, 119, LOOPS)
    assert rig.called() == []
    await pass_time(rig.clock, 1, LOOPS)
    await rig.target.wait_for(1)


async def test_what_another_left_is_claimed_after_an_outage_too_and_not_waited_for_again(rig: Rig) -> None:
    rig.turns.meet([Peer(OTHER, 1)])
    rows = [row for row in map(job, range(1, 100)) if not rig.turns.is_ours(row.uid)][:2]
    for row in rows:
        rig.put(row)
    rig.store.before["waiting"] = [away()]
    await rig.start()
    assert rig.called() == []
    await pass_time(rig.clock, 3, LOOPS, step=0.5)
    assert rig.called_at() == [NOON, NOON]
    assert all(rig.turns.is_ours(row.uid) for row in rows)
