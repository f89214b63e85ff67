from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise
from uuid import UUID

import pytest

from app.domain.claim import Claims
from app.domain.clock import FakeClock
from app.domain.errors import InvalidSchedule
from app.domain.recurrence import Recurrence
from app.scheduler import ticker as ticker_module
from tests.unit.scheduler.building import HOUR, MINUTE, NOON, job, pass_time
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


async def test_what_is_early_by_the_databases_clock_is_tried_again_without_spinning(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = rig.store.claim
    early = 3

    async def not_yet(*arguments: object) -> Claims:
        nonlocal early
        if early:
            early -= 1
            return Claims(early=list(arguments[1]))  # type: ignore[call-overload]
        return await claim(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rig.store, "claim", not_yet)
    rig.put(job(1))
    await rig.start()
    looked = rig.store.calls.count("time")
    assert (early, rig.next_of(1)) == (2, NOON)
    await pass_time(rig.clock, 0.005, LOOPS, step=0.005)
    assert (early, rig.store.calls.count("time")) == (1, looked + 1)
    await pass_time(rig.clock, 0.01, LOOPS, step=0.005)
    await rig.target.wait_for(1)


async def test_a_job_that_is_locked_is_tried_again_soon(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = rig.store.claim

    async def locked(*arguments: object) -> Claims:
        monkeypatch.setattr(rig.store, "claim", claim)
        return Claims(busy=list(arguments[1]))  # type: ignore[call-overload]

    monkeypatch.setattr(rig.store, "claim", locked)
    rig.put(job(1))
    await rig.start()
    assert (rig.next_of(1), rig.store.calls.count("claim")) == (NOON, 0)
    await pass_time(rig.clock, 0.04, LOOPS, step=0.01)
    assert rig.store.calls.count("claim") == 0
    await pass_time(rig.clock, 0.01, LOOPS, step=0.01)
    assert rig.called_at() == [NOON]


async def test_a_job_that_stays_locked_is_tried_less_and_less_often(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[float] = []

    async def locked(*arguments: object) -> Claims:
        tried.append(rig.clock.monotonic())
        return Claims(busy=list(arguments[1]))  # type: ignore[call-overload]

    monkeypatch.setattr(rig.store, "claim", locked)
    rig.put(job(1))
    await rig.start()
    await pass_time(rig.clock, 5, LOOPS, step=0.05)
    pauses = [round(after - before, 3) for before, after in pairwise(tried)]
    assert pauses[0] == 0.05
    assert pauses[-1] == pytest.approx(1, abs=0.06)
    assert len(pauses) < 15


async def test_a_job_that_can_not_be_set_aside_just_now_is_tried_again(rig: Rig) -> None:
    rig.put(job(1, NOON, "every now and then"))
    rig.store.locked_jobs = {1}
    await rig.start()
    assert (rig.store.set_asides, rig.next_of(1)) == ([], NOON)
    rig.store.locked_jobs = set()
    await pass_time(rig.clock, 0.05, LOOPS, step=0.05)
    assert [job_id for job_id, _ in rig.store.set_asides] == [1]


async def test_a_claim_that_failed_gives_its_entries_back(rig: Rig) -> None:
    rig.put(job(1))
    rig.put(job(2, NOON - HOUR))
    rig.store.before["claim"] = [away(), ZeroDivisionError()]
    await rig.start()
    assert (rig.called(), rig.next_of(1), rig.next_of(2)) == ([], NOON, NOON - HOUR)
    assert rig.doubts == 2
    await pass_time(rig.clock, 1, LOOPS, step=0.5)
    await rig.target.wait_for(3)
    assert rig.called_at() == [NOON - MINUTE, NOON, NOON]
    assert (rig.next_of(1), rig.next_of(2)) == (NOON + MINUTE, NOON + MINUTE)


async def test_a_store_that_is_away_for_long_loses_no_occurrence(rig: Rig) -> None:
    rig.put(job(1, NOON + MINUTE))
    await rig.start()
    rig.store.down = True
    await pass_time(rig.clock, 600, LOOPS, step=5)
    assert rig.called() == []
    rig.store.down = False
    await pass_time(rig.clock, 1, LOOPS, step=0.5)
    await rig.target.wait_for(2)
    assert rig.called_at() == [NOON + 9 * MINUTE, NOON + 10 * MINUTE]
    assert rig.next_of(1) == NOON + 11 * MINUTE


@pytest.mark.parametrize("first", [NOON, NOON - HOUR], ids=["on time", "late"])
async def test_a_claim_that_is_cut_off_gives_its_entries_back(rig: Rig, first: datetime) -> None:
    rig.store.held["claim"] = asyncio.Event()
    rig.put(job(1, first))
    await rig.time.look()
    rig.ticker.loop.start()
    rig.ticker.late_loop.start()
    await rig.store.until_called("claim")
    loop = rig.ticker.loop if first == NOON else rig.ticker.late_loop
    assert loop._task is not None
    loop._task.cancel()
    await asyncio.wait([loop._task])
    assert (rig.next_of(1), rig.doubts) == (first, 1)


async def test_a_claim_whose_reply_was_lost_is_in_doubt_and_not_called_here(rig: Rig) -> None:
    rig.put(job(1))
    rig.store.after["claim"] = [away()]
    await rig.start()
    assert (rig.doubts, rig.called(), len(rig.store.owners)) == (1, [], 1)


async def test_a_claim_that_was_answered_is_in_no_doubt(rig: Rig) -> None:
    rig.put(job(1))
    await rig.start()
    await rig.target.wait_for(1)
    assert rig.doubts == 0


async def test_an_observer_that_fails_leaves_no_entry_in_hand(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def claimed(_: Claims) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(rig.observer, "claimed", claimed)
    rig.put(job(1))
    await rig.start()
    await rig.target.wait_for(1)
    assert rig.next_of(1) == NOON + MINUTE


@pytest.mark.parametrize("first", [NOON, NOON - HOUR], ids=["on time", "late"])
async def test_a_poisoned_job_is_set_aside_and_the_others_go_on(rig: Rig, first: datetime) -> None:
    rig.put(job(1, first, "every now and then"))
    rig.put(job(2, first))
    await rig.start()
    await rig.target.wait_for(1)
    await rig.clock.block_until(LOOPS)
    with pytest.raises(InvalidSchedule) as refused:
        Recurrence("every now and then").parsed()
    assert rig.store.set_asides == [(1, str(refused.value))]
    assert rig.entries.versions() == {2: 1}
    assert {call.job_id for call in rig.target.calls} == {UUID(int=1)}  # every fake call names the same job


async def test_a_poison_that_is_no_error_of_ours_is_told_with_its_kind(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        raise RecursionError("too deep")

    monkeypatch.setattr(ticker_module, "plan", broken)
    rig.put(job(1))
    await rig.start()
    assert rig.store.set_asides == [(1, "RecursionError: too deep")]


async def test_a_poisoned_job_that_cannot_be_set_aside_yet_is_so_later(rig: Rig) -> None:
    rig.put(job(1, schedule="every now and then"))
    rig.put(job(2, schedule="never ever"))
    rig.store.before["set_aside"] = [away()]
    await rig.start()
    assert (rig.next_of(1), rig.next_of(2), rig.store.set_asides) == (NOON, NOON, [])
    await pass_time(rig.clock, 0.5, LOOPS, step=0.5)
    assert sorted(job_id for job_id, _ in rig.store.set_asides) == [1, 2]
    assert len(rig.entries) == 0


async def test_what_another_replica_claimed_waits_for_what_its_row_says(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def moved(*arguments: object) -> Claims:
        return Claims(moved=[(candidate, NOON + 7 * MINUTE) for candidate in arguments[1]])  # type: ignore[attr-defined]

    monkeypatch.setattr(rig.store, "claim", moved)
    rig.put(job(1))
    await rig.start()
    assert (rig.next_of(1), rig.called()) == (NOON + 7 * MINUTE, [])


async def test_what_is_stale_is_forgotten_and_read_again(rig: Rig) -> None:
    rig.put(job(1))
    rig.store.jobs[1] = job(1, version=2)
    await rig.start()
    assert (rig.entries.versions(), rig.reread, rig.called()) == ({}, [1], [])


async def test_a_stale_entry_that_is_claimed_beside_its_successor_takes_nothing_from_it(rig: Rig) -> None:
    """Both were late, the old one in hand since before the edit."""
    rig.allowed = False
    rig.put(job(1, NOON - 3 * HOUR))
    await rig.start()
    rig.ticker._late.extend(rig.entries.due(NOON, 1))
    rig.put(job(1, NOON - 2 * HOUR, version=2))
    rig.ticker._late.extend(rig.entries.due(NOON, 1))
    rig.allowed = True
    rig.ticker.late_loop.wake()
    await rig.target.wait_for(1)
    await rig.clock.block_until(LOOPS)
    assert (rig.entries.versions(), rig.reread) == ({1: 2}, [1])
    assert rig.next_of(1) == NOON + MINUTE


async def test_what_finds_no_place_is_queued(rig: Rig) -> None:
    for _ in range(99):
        assert rig.slots.admit("busy.example:80")
    rig.put(job(1))
    rig.put(job(2))
    await rig.start()
    await rig.target.wait_for(1)
    assert len(rig.dispatcher._known) == 1
