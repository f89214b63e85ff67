from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from app.domain.claim import Finished
from app.domain.clock import FakeClock
from app.domain.run import Call, Outcome
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.observer import NoObserver
from app.scheduler.recorder import Recorder
from app.scheduler.runner import LEASE_LOST, SHUT_DOWN, TAKEN, Runner
from app.scheduler.slots import CallSlots
from tests.unit.scheduler.building import HOUR, ME, NOON, ONE, OTHER, SECOND, turns
from tests.unit.scheduler.fake_store import FakeStore, started
from tests.unit.scheduler.fake_target import OK, FakeTarget

RUNS = [UUID(int=number) for number in range(1, 6)]


class Rig:
    """A runner whose results stay with its recorder; `launch` takes the place that a run needs."""

    def __init__(self, clock: FakeClock, store: FakeStore, target: FakeTarget) -> None:
        self.time = LedgerClock(clock, store)
        self.slots = CallSlots(10, 10, lambda: None)
        self.recorder = Recorder(store, lambda: ME, clock, NoObserver())
        self.replica = ME
        self.runner = Runner(
            target, self.recorder, self.slots, self.time, clock, lambda replica: replica == self.replica
        )

    def launch(self, *run_ids: UUID, fence: int = 1) -> None:
        for _ in run_ids:
            assert self.slots.admit(ONE)
        self.runner.launch(ME, [started(run_id, NOON, fence=fence) for run_id in run_ids])

    @property
    def results(self) -> list[Finished]:
        return list(self.recorder._waiting)

    async def all_ended(self) -> None:
        await asyncio.wait_for(self.runner._idle.wait(), 5)


@pytest.fixture
async def rig(clock: FakeClock, store: FakeStore, target: FakeTarget) -> Rig:
    made = Rig(clock, store, target)
    await made.time.look()
    return made


async def test_a_call_that_ended_is_recorded_and_its_place_is_free(rig: Rig) -> None:
    rig.launch(*RUNS)
    assert (len(rig.runner), rig.slots.free) == (5, 5)
    await rig.all_ended()
    assert {result.started.call.run_id for result in rig.results} == set(RUNS)
    assert [result.outcome for result in rig.results] == [OK] * 5
    assert (len(rig.runner), rig.slots.free, rig.runner.in_flight()) == (0, 10, set())


async def test_a_result_tells_when_the_call_began_and_ended_by_the_databases_clock(
    rig: Rig, target: FakeTarget, clock: FakeClock
) -> None:
    target.holding = True
    await clock.advance(3 * SECOND)
    rig.launch(RUNS[0])
    await target.wait_for(1)
    await clock.advance(2 * SECOND)
    target.release()
    await rig.all_ended()
    [result] = rig.results
    assert (result.began_at, result.ended_at) == (NOON + 3 * SECOND, NOON + 5 * SECOND)


async def test_a_call_never_ends_before_it_began_whatever_the_databases_clock_does(
    rig: Rig, target: FakeTarget, clock: FakeClock
) -> None:
    target.holding = True
    rig.launch(RUNS[0])
    await target.wait_for(1)
    clock.step(-HOUR)
    await rig.time.look()
    await clock.advance(SECOND)
    target.release()
    await rig.all_ended()
    [result] = rig.results
    assert result.ended_at - result.began_at == SECOND


async def test_a_call_that_is_cut_goes_back_with_the_note(rig: Rig, target: FakeTarget) -> None:
    target.holding = True
    rig.launch(*RUNS[:2])
    await target.wait_for(2)
    rig.runner.cut([(RUNS[0], 1)], LEASE_LOST)
    await turns()
    [result] = rig.results
    assert (result.outcome, result.note, result.started.call.run_id) == (None, LEASE_LOST, RUNS[0])
    assert (rig.runner.in_flight(), rig.slots.free) == ({(RUNS[1], 1)}, 9)
    target.release()
    await rig.all_ended()


async def test_a_call_that_is_cut_before_its_first_step_gives_its_place_back(rig: Rig, target: FakeTarget) -> None:
    rig.launch(RUNS[0])
    rig.runner.cut([(RUNS[0], 1)], TAKEN)
    await rig.all_ended()
    assert target.calls == []
    assert [(result.outcome, result.note) for result in rig.results] == [(None, TAKEN)]
    assert rig.slots.free == 10


async def test_cutting_what_is_not_called_does_nothing(rig: Rig) -> None:
    rig.runner.cut([(RUNS[0], 1)], TAKEN)
    rig.launch(RUNS[0])
    rig.runner.cut([(RUNS[0], 2), (RUNS[1], 1)], TAKEN)
    await rig.all_ended()
    assert [result.outcome for result in rig.results] == [OK]


async def test_a_target_that_raises_is_a_failed_run_and_harms_no_other(rig: Rig, target: FakeTarget) -> None:
    def answer(call: Call) -> Outcome:
        if call.run_id == RUNS[0]:
            raise ValueError("out of cheese")
        return OK

    target.answer = answer
    rig.launch(*RUNS)
    await rig.all_ended()
    errors = {result.started.call.run_id: result.outcome and result.outcome.error for result in rig.results}
    assert errors == dict.fromkeys(RUNS[1:]) | {RUNS[0]: "internal: ValueError('out of cheese')"}
    assert rig.slots.free == 10


async def test_what_was_started_under_a_lease_that_is_over_is_not_called(rig: Rig, target: FakeTarget) -> None:
    """The transaction that started it was answered too late: another replica may be calling it already."""
    rig.replica = OTHER
    rig.launch(*RUNS)
    await turns()
    assert (target.calls, rig.results, rig.runner.in_flight(), rig.slots.free) == ([], [], set(), 10)


async def test_a_run_that_is_started_again_while_its_old_call_ends_mixes_nothing_up(
    rig: Rig, target: FakeTarget
) -> None:
    """It went to another, came back, and the first call is still busy with being cancelled."""
    target.holding = True
    rig.launch(RUNS[0])
    await target.wait_for(1)
    rig.runner.cut([(RUNS[0], 1)], LEASE_LOST)
    rig.launch(RUNS[0], fence=2)
    assert rig.runner.in_flight() == {(RUNS[0], 1), (RUNS[0], 2)}
    await target.wait_for(2)
    await turns()
    assert rig.runner.in_flight() == {(RUNS[0], 2)}
    target.release()
    await rig.all_ended()
    assert [(r.started.fence, r.outcome) for r in rig.results] == [(1, None), (2, OK)]
    assert rig.slots.free == 10


@pytest.mark.parametrize(("left", "timeout"), [(None, 30), (40, 30), (12.5, 12.5), (0, 0), (-3, 0)])
async def test_a_call_has_until_the_runs_deadline(
    rig: Rig, target: FakeTarget, clock: FakeClock, left: float | None, timeout: float
) -> None:
    """By the database's clock, as it is when the call begins."""
    await clock.advance(5 * SECOND)
    run = started(RUNS[0], NOON)
    run = replace(run, deadline_at=None if left is None else NOON + 5 * SECOND + left * SECOND)
    assert rig.slots.admit(ONE)
    rig.runner.launch(ME, [run])
    await rig.all_ended()
    assert [call.timeout_seconds for call in target.calls] == [timeout]
    assert rig.results[0].started == run


async def test_draining_waits_for_calls_that_end_in_time(rig: Rig, target: FakeTarget, clock: FakeClock) -> None:
    target.holding = True
    rig.launch(*RUNS[:2])
    await target.wait_for(2)
    draining = asyncio.create_task(rig.runner.drain(25))
    await clock.block_until(1)
    await clock.advance(20 * SECOND)
    target.release()
    await asyncio.wait_for(draining, 5)
    assert [result.outcome for result in rig.results] == [OK, OK]


async def test_draining_cuts_what_does_not_end_in_time(rig: Rig, target: FakeTarget, clock: FakeClock) -> None:
    target.holding = True
    rig.launch(*RUNS[:2])
    await target.wait_for(2)
    draining = asyncio.create_task(rig.runner.drain(25))
    await clock.block_until(1)
    target.release(RUNS[0])
    await clock.advance(25 * SECOND)
    await asyncio.wait_for(draining, 5)
    assert [(r.started.call.run_id, r.outcome, r.note) for r in rig.results] == [
        (RUNS[0], OK, SHUT_DOWN),
        (RUNS[1], None, SHUT_DOWN),
    ]
    assert rig.slots.free == 10


@pytest.mark.parametrize("seconds", [0, -3])
async def test_draining_with_no_time_left_cuts_at_once(rig: Rig, target: FakeTarget, seconds: float) -> None:
    target.holding = True
    rig.launch(*RUNS)
    await asyncio.wait_for(rig.runner.drain(seconds), 5)
    assert [result.outcome for result in rig.results] == [None] * 5


async def test_draining_when_nothing_is_called_ends_at_once(rig: Rig) -> None:
    await asyncio.wait_for(rig.runner.drain(25), 5)
