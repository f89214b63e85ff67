from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from app.domain.claim import Claims, Finished, Queued, Recorded
from app.domain.clock import FakeClock
from app.domain.errors import StoreUnavailable
from app.domain.run import Outcome, State, Trigger
from app.scheduler.recorder import BATCH, LINGER, Recorder
from tests.unit.scheduler.building import ME, NOON, ONE, OTHER, SECOND, finished, pass_time, turns
from tests.unit.scheduler.fake_store import FakeStore, away


class Watched:
    def __init__(self) -> None:
        self.kept: list[Finished] = []
        self.became: list[State] = []
        self.dropped: list[Finished] = []

    def claimed(self, claims: Claims) -> None:
        raise NotImplementedError

    def recorded(self, run: Finished, became: State) -> None:
        self.kept.append(run)
        self.became.append(became)

    def discarded(self, run: Finished) -> None:
        self.dropped.append(run)

    def ended(self, state: State, trigger: Trigger) -> None:
        raise NotImplementedError


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
async def recorder(store: FakeStore, clock: FakeClock, watched: Watched) -> AsyncIterator[Recorder]:
    recording = Recorder(store, lambda: ME, clock, watched)
    recording.loop.start()
    await clock.block_until(1)
    yield recording
    for event in store.held.values():
        event.set()
    await recording.loop.stop()


async def test_a_result_whose_job_is_locked_is_recorded_later_and_holds_up_no_other(
    recorder: Recorder, store: FakeStore, clock: FakeClock, watched: Watched
) -> None:
    first, second = finished(1), finished(2)
    store.busy_runs = {first.started.call.run_id}
    recorder.put(first)
    recorder.put(second)
    await pass_time(clock, LINGER, 1, step=LINGER)
    assert (watched.kept, watched.dropped, recorder.holds()) == ([second], [], {first.started.held})
    store.busy_runs = set()
    await pass_time(clock, LINGER, 1, step=LINGER)
    assert (watched.kept, recorder.holds()) == ([second, first], set())


async def test_a_jobs_results_stay_in_their_order(recorder: Recorder, store: FakeStore, clock: FakeClock) -> None:
    first, second, other = finished(1), finished(2), finished(3)
    job = first.started.call.job_id
    second = replace(second, started=replace(second.started, call=replace(second.started.call, job_id=job)))
    other = replace(other, started=replace(other.started, call=replace(other.started.call, job_id=UUID(int=9))))
    store.held["record"] = asyncio.Event()
    store.busy_runs = {first.started.call.run_id}
    recorder.put(first)
    await clock.advance(LINGER * SECOND)
    await store.until_called("record")
    recorder.put(second)
    recorder.put(other)
    store.held.pop("record").set()
    await clock.block_until(1)
    store.busy_runs = set()
    await pass_time(clock, 2 * LINGER, 1, step=LINGER)
    assert store.recorded == [other, first, second]


async def test_a_flush_is_patient_with_who_has_locked_a_job(
    recorder: Recorder, store: FakeStore, clock: FakeClock
) -> None:
    await recorder.loop.stop()
    store.busy_runs = {finished(1).started.call.run_id}
    recorder.put(finished(1))
    flushing = asyncio.create_task(recorder.flush())
    await clock.block_until(1)
    store.busy_runs = set()
    await clock.advance(LINGER * SECOND)
    await flushing
    assert (recorder.holds(), store.calls.count("record")) == (set(), 2)


async def test_a_flush_gives_up_after_a_while(clock: FakeClock) -> None:
    class Locked(FakeStore):
        async def record(self, replica: UUID, finished: Sequence[Finished]) -> Recorded:  # noqa: ARG002  # none is
            return Recorded(busy=list(finished))

    locked = Recorder(Locked(clock), lambda: ME, clock, Watched())
    locked.put(finished(1))
    flushing = asyncio.create_task(locked.flush())
    for _ in range(60):
        await clock.advance(LINGER * SECOND)
        await turns()
    with pytest.raises(StoreUnavailable, match="1 results"):
        await flushing


async def test_results_wait_a_moment_for_company(recorder: Recorder, store: FakeStore, clock: FakeClock) -> None:
    for number in range(1, 4):
        recorder.put(finished(number))
        await pass_time(clock, LINGER / 4, 1, step=LINGER / 4)
    assert store.calls == []
    await pass_time(clock, LINGER / 2, 1, step=LINGER / 2)
    assert store.calls == ["record"]
    assert [run.started.call.run_id.int for run in store.recorded] == [1, 2, 3]


async def test_a_full_batch_does_not_wait(recorder: Recorder, store: FakeStore, clock: FakeClock) -> None:
    recorder.put(finished(0))
    await turns()
    await clock.block_until(1)
    for number in range(1, BATCH):
        recorder.put(finished(number))
    await store.until_called("record")
    assert clock.monotonic() == 0
    await clock.block_until(1)
    assert len(store.recorded) == BATCH


async def test_a_thousand_results_cost_a_handful_of_transactions(
    recorder: Recorder, store: FakeStore, clock: FakeClock, watched: Watched
) -> None:
    for number in range(1000):
        recorder.put(finished(number))
    await pass_time(clock, 1, 1, step=LINGER)
    assert len(watched.kept) == 1000
    assert store.calls.count("record") <= 3


async def test_none_is_lost_while_the_store_is_away(
    recorder: Recorder, store: FakeStore, clock: FakeClock, watched: Watched
) -> None:
    store.down = True
    recorder.put(finished(1))
    await pass_time(clock, 2, 1, step=LINGER)
    recorder.put(finished(2))
    await pass_time(clock, 60, 1)
    assert recorder.holds() == {(UUID(int=1), 1), (UUID(int=2), 1)}
    store.down = False
    await pass_time(clock, 1, 1, step=LINGER)
    assert [run.started.call.run_id.int for run in watched.kept] == [1, 2]
    assert recorder.holds() == set()


async def test_a_result_is_held_until_its_commit_is_known(
    recorder: Recorder, store: FakeStore, clock: FakeClock
) -> None:
    store.held["record"] = asyncio.Event()
    recorder.put(finished(1, fence=3))
    await clock.advance(LINGER * SECOND)
    await store.until_called("record")
    recorder.put(finished(2))
    assert recorder.holds() == {(UUID(int=1), 3), (UUID(int=2), 1)}
    store.held["record"].set()
    await clock.block_until(1)
    assert recorder.holds() == {(UUID(int=2), 1)}


async def test_a_reply_that_was_lost_after_the_commit_writes_nothing_twice(
    recorder: Recorder, store: FakeStore, clock: FakeClock, watched: Watched
) -> None:
    store.after["record"] = [away()]
    recorder.put(finished(1))
    await pass_time(clock, LINGER, 1, step=LINGER)
    store.owners = {UUID(int=1): (OTHER, 2)}
    await pass_time(clock, 1, 1, step=LINGER)
    assert (len(store.recorded), recorder.holds(), len(watched.dropped)) == (1, set(), 1)


async def test_results_of_runs_that_went_to_another_are_discarded(
    recorder: Recorder, store: FakeStore, clock: FakeClock, watched: Watched
) -> None:
    store.owners = {UUID(int=1): (OTHER, 2)}
    recorder.put(finished(1))
    recorder.put(finished(2))
    await pass_time(clock, LINGER, 1, step=LINGER)
    assert [[run.started.call.run_id.int for run in told] for told in (watched.kept, watched.dropped)] == [[2], [1]]


async def test_a_result_that_cannot_be_stored_holds_up_no_other(clock: FakeClock, watched: Watched) -> None:
    class Picky(FakeStore):
        async def record(self, replica: UUID, finished: Sequence[Finished]) -> Recorded:
            if any(run.started.call.run_id.int == 5 for run in finished):
                raise ValueError("5 can't be stored")
            return await super().record(replica, finished)

    recorder = Recorder(Picky(clock), lambda: ME, clock, watched)
    for number in range(20):
        recorder.put(finished(number))
    recorder.loop.start()
    await pass_time(clock, 10, 1, step=LINGER)
    assert sorted(run.started.call.run_id.int for run in watched.kept) == [n for n in range(20) if n != 5]
    assert recorder.holds() == {(UUID(int=5), 1)}
    await recorder.loop.stop()


async def test_flushing_records_everything_at_once(store: FakeStore, clock: FakeClock, watched: Watched) -> None:
    recorder = Recorder(store, lambda: ME, clock, watched)
    for number in range(BATCH + 1):
        recorder.put(finished(number))
    await recorder.flush()
    assert (len(watched.kept), store.calls) == (BATCH + 1, ["record", "record"])


async def test_flushing_without_a_store_says_so_and_keeps_what_it_has(
    store: FakeStore, clock: FakeClock, watched: Watched
) -> None:
    recorder = Recorder(store, lambda: ME, clock, watched)
    recorder.put(finished(1))
    store.before["record"] = [away()]
    with pytest.raises(StoreUnavailable):
        await recorder.flush()
    assert len(recorder.holds()) == 1


async def test_a_recorder_without_results_asks_the_store_for_nothing(
    recorder: Recorder, store: FakeStore, clock: FakeClock
) -> None:
    await pass_time(clock, 10, 1)
    await recorder.flush()
    await turns()
    assert store.calls == []


async def test_results_wait_longer_while_calls_wait_for_a_place(
    store: FakeStore, clock: FakeClock, watched: Watched
) -> None:
    queued = [True]
    recorder = Recorder(store, lambda: ME, clock, watched, lambda: queued[0])
    recorder.loop.start()
    await clock.block_until(1)
    recorder.put(finished(1))
    await pass_time(clock, 2 * LINGER, 1, step=LINGER / 2)
    assert store.calls == []
    queued[0] = False
    await pass_time(clock, 2 * LINGER, 1, step=LINGER / 2)
    assert store.calls == ["record"]
    await recorder.loop.stop()


async def test_runs_that_are_pending_again_and_failing_jobs_are_passed_on(clock: FakeClock, watched: Watched) -> None:
    again = Queued(UUID(int=1), NOON, ONE, NOON + SECOND)

    class Strict(FakeStore):
        async def record(self, replica: UUID, finished: Sequence[Finished]) -> Recorded:
            await super().record(replica, finished)
            return Recorded({UUID(int=1): State.PENDING, UUID(int=2): State.FAILED}, [again], failing=True)

    queued: list[Queued] = []
    told: list[str] = []
    recorder = Recorder(
        Strict(clock), lambda: ME, clock, watched, on_queued=queued.extend, on_failing=lambda: told.append("failing")
    )
    for number in (1, 2, 3):
        recorder.put(finished(number))
    await recorder.flush()
    assert (queued, told) == ([again], ["failing"])
    assert watched.became == [State.PENDING, State.FAILED]
    assert [run.started.call.run_id.int for run in watched.dropped] == [3]


async def test_nothing_is_passed_on_before_the_commit_is_known(
    store: FakeStore, clock: FakeClock, watched: Watched
) -> None:
    told: list[Queued] = []
    recorder = Recorder(store, lambda: ME, clock, watched, on_queued=told.extend)
    recorder.put(finished(1))
    store.after["record"] = [away()]
    with pytest.raises(StoreUnavailable):
        await recorder.flush()
    assert (told, watched.kept) == ([], [])


async def test_a_success_is_over_before_it_is_recorded_and_a_failure_is_not(recorder: Recorder) -> None:
    recorder.put(finished(1))
    recorder.put(replace(finished(2), outcome=Outcome(error="status: 500")))
    recorder.put(replace(finished(3), outcome=None))
    assert recorder.done() == {(UUID(int=1), 1)}
    await recorder.flush()
    assert recorder.done() == set()
