from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from app.domain.clock import FakeClock
from app.scheduler import looper
from app.scheduler.looper import LONGEST_WAIT, Looper
from tests.unit.scheduler.building import SECOND, turns
from tests.unit.scheduler.fake_store import away


class Steps:
    """A step that counts itself, may be held, and fails when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.overlapped = False
        self.pause = 0.5
        self.faults: list[BaseException] = []
        self.hold: asyncio.Event | None = None
        self.cancelled = False
        self._changed = asyncio.Condition()

    async def __call__(self) -> float:
        self.overlapped |= self.begun != self.ended
        async with self._changed:
            self.begun += 1
            self._changed.notify_all()
        try:
            if self.hold is not None:
                await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.ended += 1
        if self.faults:
            raise self.faults.pop(0)
        return self.pause

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(lambda: self.begun >= count)


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
async def loop(steps: Steps, clock: FakeClock) -> AsyncIterator[Looper]:
    looped = Looper("tested", steps, clock)
    yield looped
    if steps.hold is not None:
        steps.hold.set()
    await looped.stop()


async def test_steps_follow_each_other_after_the_pause_that_the_last_one_said(
    loop: Looper, steps: Steps, clock: FakeClock
) -> None:
    loop.start()
    await clock.block_until(1)
    await clock.advance(0.4 * SECOND)
    await clock.block_until(1)
    assert steps.begun == 1
    await clock.advance(0.1 * SECOND)
    await steps.wait_for(2)


async def test_no_pause_is_longer_than_a_jump_of_the_clock_may_go_unnoticed(
    loop: Looper, steps: Steps, clock: FakeClock
) -> None:
    steps.pause = 3600
    loop.start()
    await clock.block_until(1)
    await clock.advance(LONGEST_WAIT * SECOND)
    await steps.wait_for(2)


@pytest.mark.parametrize("fault", [away(), ZeroDivisionError(), TimeoutError()], ids=repr)
async def test_a_step_that_fails_is_tried_again_after_a_pause(
    loop: Looper, steps: Steps, clock: FakeClock, fault: BaseException
) -> None:
    steps.faults = [fault]
    loop.start()
    await clock.block_until(1)
    assert steps.begun == 1
    await clock.advance(LONGEST_WAIT / 2 * SECOND)
    await steps.wait_for(2)


async def test_a_step_that_wakes_its_own_loop_and_fails_does_not_fail_without_a_pause(clock: FakeClock) -> None:
    tried = 0

    async def step() -> float:
        nonlocal tried
        tried += 1
        waking.wake()
        raise away()

    waking = Looper("tested", step, clock)
    waking.start()
    await clock.block_until(1)
    assert tried == 1
    await waking.stop()


async def test_waking_cuts_the_pause(loop: Looper, steps: Steps, clock: FakeClock) -> None:
    loop.start()
    await clock.block_until(1)
    loop.wake()
    await steps.wait_for(2)
    assert clock.monotonic() == 0


async def test_what_wakes_the_loop_during_a_step_is_not_lost(loop: Looper, steps: Steps, clock: FakeClock) -> None:
    steps.hold = asyncio.Event()
    loop.start()
    await steps.wait_for(1)
    loop.wake()
    steps.hold.set()
    await steps.wait_for(2)
    await clock.block_until(1)
    assert (steps.begun, clock.monotonic()) == (2, 0)


async def test_stopping_lets_a_step_end(loop: Looper, steps: Steps, clock: FakeClock) -> None:
    steps.hold = asyncio.Event()
    loop.start()
    await steps.wait_for(1)
    stopping = asyncio.create_task(loop.stop())
    await turns()
    assert not stopping.done()
    steps.hold.set()
    await asyncio.wait_for(stopping, 5)
    assert (steps.ended, steps.cancelled) == (1, False)
    assert clock._asleep() == 0


async def test_a_step_that_does_not_end_is_cut_off(loop: Looper, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looper, "_STEP_BOUND", 0.01)
    steps.hold = asyncio.Event()
    loop.start()
    await steps.wait_for(1)
    await asyncio.wait_for(loop.stop(), 5)
    assert steps.cancelled


async def test_stopping_a_loop_that_waits_ends_it_at_once(loop: Looper, steps: Steps, clock: FakeClock) -> None:
    loop.start()
    await clock.block_until(1)
    await asyncio.wait_for(loop.stop(), 5)
    await turns()
    assert (steps.begun, clock._sleepers) == (1, {})


async def test_starting_and_stopping_twice_is_like_once(loop: Looper, steps: Steps, clock: FakeClock) -> None:
    await loop.stop()
    loop.start()
    loop.start()
    await clock.block_until(1)
    assert (steps.begun, clock._asleep()) == (1, 1)
    await asyncio.gather(loop.stop(), loop.stop(), loop.stop())
    assert clock._asleep() == 0


async def test_a_loop_that_was_stopped_can_be_started_again(loop: Looper, steps: Steps) -> None:
    for round_ in range(1, 4):
        loop.start()
        await steps.wait_for(round_)
        await loop.stop()
    assert steps.begun == 3


async def test_starting_while_it_stops_never_makes_two_steps_at_once(loop: Looper, steps: Steps) -> None:
    steps.hold = asyncio.Event()
    loop.start()
    await steps.wait_for(1)
    stopping = asyncio.create_task(loop.stop())
    await turns(3)
    loop.start()
    await turns()
    steps.hold.set()
    await asyncio.wait_for(stopping, 5)
    await turns()
    assert (steps.begun, steps.ended, steps.overlapped) == (1, 1, False)


async def test_starts_stops_and_wakes_in_any_order_leave_no_task(loop: Looper, steps: Steps) -> None:
    random, before = Random(7), asyncio.all_tasks()  # noqa: S311  # the same disorder each time
    steps.pause = 0

    async def meddle() -> None:
        for _ in range(50):
            action = random.randrange(3)
            if action == 0:
                loop.start()
            elif action == 1:
                loop.wake()
            else:
                await loop.stop()
            await turns(random.randrange(4))

    await asyncio.gather(*(meddle() for _ in range(5)))
    await asyncio.wait_for(loop.stop(), 5)
    assert steps.begun == steps.ended > 1
    assert not steps.overlapped
    assert asyncio.all_tasks() - before == set()


async def test_a_loop_tells_when_it_took_its_last_step(loop: Looper, clock: FakeClock) -> None:
    assert loop.last_step is None
    loop.start()
    await clock.block_until(1)
    assert loop.last_step == 0
    await clock.advance(SECOND)
    await clock.block_until(1)
    assert loop.last_step == 1
