"""A key that jobs share: so many of its runs at once, and so many in a second, over all replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.db.limits import LimitRepository
from app.db.starts import StartTransaction
from app.db.tables import job_runs
from app.domain.claim import Queued, Started
from app.domain.clock import FakeClock
from app.domain.gates import CATCH_UP_KEY
from app.domain.limit import KeyLimit
from app.domain.policies import Misfire, MisfirePolicy, Overlap, Policies
from app.domain.retry import Retry
from app.domain.run import State
from tests.db.building import ME, MINUTE, OTHER, SECOND, Ledger, ended, opened, queued, roomy, states
from tests.db.locks import gate

KEY = "warehouse"
LAST_STEP = "LOCK TABLE job_runs IN SHARE MODE"
THIRD = UUID(int=0xC)


async def _put(ledger: Ledger, most: int | None = None, rate: float | None = None, key: str = KEY) -> None:
    async with ledger.database.begin() as connection:
        await LimitRepository(connection).put(key, most, rate, await ledger.rows.time())


async def _get(ledger: Ledger, key: str = KEY) -> KeyLimit | None:
    async with ledger.database.read() as connection:
        return await LimitRepository(connection).get(key)


async def _jobs(ledger: Ledger, clock: FakeClock, count: int, **policies: Any) -> list[Queued]:
    """So many runs that are pending, each of a job of its own."""
    chosen = Policies(concurrency_key=KEY, **policies)
    jobs = [await ledger.create(f"job-{number}", policies=chosen) for number in range(count)]
    clock.step(MINUTE)
    claims = await ledger.claim(clock.now(), *jobs)
    assert claims.started == []
    assert len(claims.queued) == count
    return claims.queued


async def _opened(ledger: Ledger, limit: int = 1000) -> list[Queued]:
    return (await ledger.starts.opened(limit, [])).runs


async def _waiting(ledger: Ledger) -> list[str | None]:
    return [run.waiting_for for run in await ledger.table(job_runs) if run.state == State.PENDING]


async def test_a_limit_lets_so_many_start_and_the_others_wait_for_it(ledger: Ledger, clock: FakeClock) -> None:
    await _put(ledger, 2)
    runs = await _jobs(ledger, clock, 4)
    started = await ledger.starts.start(ME, runs)
    assert len(started) == 2
    assert await _waiting(ledger) == ["limit warehouse"] * 2
    found = await _get(ledger)
    assert found is not None
    assert (found.in_use, found.waiting) == (2, 2)
    assert await _opened(ledger) == []
    await ledger.record(ended(started[0]))
    assert len(await _opened(ledger)) == 1
    assert len(await ledger.starts.start(ME, await _opened(ledger))) == 1


async def test_a_key_without_a_limit_holds_nothing_up(ledger: Ledger, clock: FakeClock) -> None:
    assert len(await ledger.starts.start(ME, await _jobs(ledger, clock, 4))) == 4


async def test_runs_that_two_replicas_start_at_once_share_the_limit(
    ledger: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await _put(ledger, 3)
    runs = await _jobs(ledger, clock, 8)
    both = await asyncio.gather(ledger.starts.start(ME, runs[:4]), rival.starts.start(OTHER, runs[4:]))
    assert sum(len(started) for started in both) == 3


async def test_a_start_that_waits_for_the_limit_counts_what_started_before(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await _put(contended, 1)
    first, second = await _jobs(contended, clock, 2)
    async with gate(contended.url, LAST_STEP) as held:
        one = asyncio.create_task(contended.starts.start(ME, [first]))
        await held.until_waiting(1)
        two = asyncio.create_task(rival.starts.start(OTHER, [second]))
        await held.until_waiting(2)
        await held.open()
        assert (len(await one), len(await two)) == (1, 0)


async def test_a_limit_of_7_holds_for_200_jobs_over_two_replicas_and_all_of_them_run(
    ledger: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await _put(ledger, 7)
    queue = await _jobs(ledger, clock, 200)
    running: dict[UUID, list[Started]] = {ME: [], OTHER: []}
    stores = {ME: ledger, OTHER: rival}
    done = 0

    async def step(replica: UUID, asked: list[Queued]) -> None:
        started = await stores[replica].starts.start(replica, asked) if asked else []
        running[replica] += started

    await asyncio.gather(step(ME, queue[::2]), step(OTHER, queue[1::2]))
    while done < len(queue):
        in_use = sum(map(len, running.values()))
        assert 0 < in_use <= 7
        assert states(await ledger.table(job_runs)).count("running") == in_use
        replica = ME if running[ME] else OTHER
        ending, running[replica] = running[replica][:4], running[replica][4:]
        done += len(await stores[replica].record(*map(ended, ending), replica=replica))
        await asyncio.gather(step(ME, await _opened(ledger)), step(OTHER, await _opened(rival)))
    assert set(states(await ledger.table(job_runs))) == {"succeeded"}


async def test_a_newcomer_stands_behind_those_that_wait(ledger: Ledger, clock: FakeClock) -> None:
    await _put(ledger, 1)
    [running] = await ledger.starts.start(ME, await _jobs(ledger, clock, 2))
    late = await ledger.create("late", policies=Policies(concurrency_key=KEY))
    clock.step(SECOND)
    await ledger.record(ended(running))
    manual = await ledger.runs.trigger("late")
    assert await ledger.starts.start(ME, [queued(manual)]) == []
    assert (await ledger.run_of(late)).waiting_for == "limit warehouse"
    [first] = await _opened(ledger)
    assert first.run_id != manual.id


async def test_a_run_between_two_attempts_holds_no_key_and_waits_for_it_again(ledger: Ledger, clock: FakeClock) -> None:
    await _put(ledger, 1)
    one, two = await _jobs(ledger, clock, 2, retry=Retry(min_backoff_seconds=0, max_backoff_seconds=0))
    [first] = await ledger.starts.start(ME, [one])
    await ledger.record(ended(first, error="status: 500"))
    clock.step(SECOND)
    [second] = await ledger.starts.start(ME, [two])
    assert await ledger.starts.start(ME, [one]) == []
    assert await _waiting(ledger) == ["limit warehouse"]
    await ledger.record(ended(second))
    [again] = await ledger.starts.start(ME, await _opened(ledger))
    assert (again.call.run_id, again.call.attempt) == (first.call.run_id, 2)


async def test_a_dead_replicas_run_holds_its_key_until_it_is_taken_over(ledger: Ledger, clock: FakeClock) -> None:
    await _put(ledger, 1)
    await ledger.replicas.join(ME, "here")
    await ledger.starts.start(ME, await _jobs(ledger, clock, 2))
    assert await _opened(ledger) == []
    await ledger.replicas.leave(ME)
    await ledger.replicas.bury(timedelta(seconds=30))
    assert len(await _opened(ledger)) == 1


async def test_a_limit_that_is_raised_or_removed_lets_more_through(ledger: Ledger, clock: FakeClock) -> None:
    await _put(ledger, 0)
    runs = await _jobs(ledger, clock, 4)
    assert await ledger.starts.start(ME, runs) == []
    assert await _opened(ledger) == []
    await _put(ledger, 2)
    assert len(await _opened(ledger)) == 2
    async with ledger.database.begin() as connection:
        assert await LimitRepository(connection).remove(KEY)
        assert not await LimitRepository(connection).remove(KEY)
    assert len(await _opened(ledger, limit=3)) == 3
    assert len(await ledger.starts.start(ME, await _opened(ledger))) == 4


async def test_a_rate_lets_so_many_start_in_a_second(ledger: Ledger, clock: FakeClock) -> None:
    await _put(ledger, rate=2)
    runs = await _jobs(ledger, clock, 9)
    assert len(await ledger.starts.start(ME, runs)) == 2
    for seconds, expected in ((0.4, 0), (0.1, 1), (0.75, 1), (0.25, 1), (60, 2)):
        clock.step(timedelta(seconds=seconds))
        found = await _opened(ledger)
        assert len(found) == expected
        assert len(await ledger.starts.start(ME, found) if found else []) == expected


async def test_a_rate_below_one_lets_one_start_at_a_time(ledger: Ledger, clock: FakeClock) -> None:
    await _put(ledger, rate=0.1)
    assert len(await ledger.starts.start(ME, await _jobs(ledger, clock, 3))) == 1
    clock.step(9 * SECOND)
    assert await _opened(ledger) == []
    clock.step(SECOND)
    assert len(await _opened(ledger)) == 1


async def test_a_clock_that_goes_back_brings_no_tokens(ledger: Ledger, clock: FakeClock) -> None:
    await _put(ledger, rate=1)
    runs = await _jobs(ledger, clock, 3)
    assert len(await ledger.starts.start(ME, runs)) == 1
    clock.step(SECOND)
    assert len(await ledger.starts.start(ME, runs)) == 1
    clock.step(-SECOND)
    assert await ledger.starts.start(ME, runs) == []
    clock.step(SECOND)
    assert await ledger.starts.start(ME, runs) == []
    clock.step(SECOND)
    assert len(await ledger.starts.start(ME, runs)) == 1


async def test_the_tokens_outlive_a_change_of_the_limit(ledger: Ledger, clock: FakeClock) -> None:
    await _put(ledger, rate=5)
    runs = await _jobs(ledger, clock, 9)
    assert len(await ledger.starts.start(ME, runs[:4])) == 4
    await _put(ledger, 100, rate=20)
    assert len(await ledger.starts.start(ME, runs[4:])) == 1


async def test_a_limit_that_is_deleted_while_it_is_replaced_is_made_anew(
    postgres: Ledger, rival: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = LimitRepository._rows

    async def deleted_before(limits: LimitRepository, query: Any) -> Any:
        monkeypatch.setattr(LimitRepository, "_rows", read)
        async with rival.database.begin() as connection:
            assert await LimitRepository(connection).remove(KEY)
        return await read(limits, query)

    await _put(postgres, 7)
    monkeypatch.setattr(LimitRepository, "_rows", deleted_before)
    await _put(postgres, 3)
    found = await _get(postgres)
    assert found is not None
    assert found.max_concurrency == 3


async def test_the_runs_of_a_job_that_skips_do_not_pile_up_at_a_limit(ledger: Ledger, clock: FakeClock) -> None:
    await _put(ledger, 0)
    job = await ledger.create(policies=Policies(concurrency_key=KEY))
    for _ in range(3):
        clock.step(MINUTE)
        if queued_now := (await ledger.claim(clock.now(), job)).queued:
            await ledger.starts.start(ME, queued_now)
    assert states(await ledger.runs_of(job)) == ["pending", "skipped", "skipped"]


@pytest.fixture
async def third(database_url: str, clock: FakeClock) -> AsyncIterator[Ledger]:
    async with opened(database_url, clock) as ledger:
        yield ledger


async def _late(ledger: Ledger, clock: FakeClock, jobs: int) -> list[Queued]:
    """Each of the jobs has one run that is to be caught up."""
    await ledger.populate(jobs, "0 * * * *")
    clock.step(90 * MINUTE)
    claims = await ledger.claims.claim(ME, await ledger.candidates(clock.now()), roomy())
    assert (claims.started, claims.queued) == ([], [])
    assert await _waiting(ledger) == ["catch-up rate"] * jobs
    return await _opened(ledger)


async def test_three_replicas_together_never_exceed_the_rate_of_catch_up(
    ledger: Ledger, rival: Ledger, third: Ledger, clock: FakeClock
) -> None:
    await _late(ledger, clock, 50)
    stores = {ME: ledger, OTHER: rival, THIRD: third}
    started: list[Started] = []

    async def look(replica: UUID) -> list[Started]:
        found = await _opened(stores[replica])
        return await stores[replica].starts.start(replica, found) if found else []

    for tenths in range(50):
        for each in await asyncio.gather(*map(look, stores)):
            started += each
        assert len(started) == min(10 + tenths, 50)
        clock.step(SECOND / 10)
    assert len({run.call.run_id for run in started}) == 50


async def test_what_is_due_now_does_not_wait_behind_what_is_caught_up(ledger: Ledger, clock: FakeClock) -> None:
    late = await _late(ledger, clock, 30)
    new = await ledger.create("new", "* * * * *")
    assert len(await ledger.starts.start(ME, late)) == 10
    clock.step(MINUTE)
    assert len((await ledger.claim(clock.now(), new)).started) == 1
    assert await ledger.starts.pending(1000, [], timedelta(0)) == []


async def test_at_one_gate_what_is_due_now_comes_before_what_is_caught_up(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(overlap=Overlap.QUEUE, misfire=Misfire(policy=MisfirePolicy.ALL)))
    clock.step(10 * MINUTE)
    [first] = (await ledger.claim(clock.now(), job)).started
    await ledger.starts.start(ME, await _opened(ledger))
    assert {run.waiting_for for run in await ledger.runs_of(job)} == {None, f"job {job.uid}"}
    await ledger.record(ended(first))
    [found] = await _opened(ledger)
    [run] = [run for run in await ledger.runs_of(job) if run.id == found.run_id]
    assert run.trigger == "schedule"


async def test_a_replica_that_is_told_another_rate_brings_it(ledger: Ledger, clock: FakeClock) -> None:
    found = await _late(ledger, clock, 20)
    assert len(await ledger.starts.start(ME, found)) == 10
    told = StartTransaction(ledger.database, catch_up_rate=3)
    assert await told.start(ME, found) == []
    clock.step(MINUTE)
    assert len(await told.start(ME, found)) == 3
    kept = await _get(ledger, CATCH_UP_KEY)
    assert kept is not None
    assert (kept.rate_per_second, kept.waiting) == (3, 7)
    async with ledger.database.read() as connection:
        assert await LimitRepository(connection).page(None, 10) == []
