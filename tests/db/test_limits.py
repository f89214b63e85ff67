"""A key that jobs share: so many of its runs at once, and so many in a second, over all replicas."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.db.limits import LimitRepository
from app.db.tables import job_runs
from app.domain.claim import Queued, Started
from app.domain.clock import FakeClock
from app.domain.policies import Policies
from app.domain.retry import Retry
from tests.db.building import ME, MINUTE, OTHER, SECOND, Ledger, ended, queued, states
from tests.db.limiting import KEY, get_limit, key_jobs, open_runs, put_limit, waiting
from tests.db.locks import gate

LAST_STEP = "LOCK TABLE job_runs IN SHARE MODE"


async def test_a_limit_lets_so_many_start_and_the_others_wait_for_it(ledger: Ledger, clock: FakeClock) -> None:
    await put_limit(ledger, 2)
    runs = await key_jobs(ledger, clock, 4)
    started = (await ledger.starts.start(ME, runs)).begun
    assert len(started) == 2
    assert await waiting(ledger) == ["limit warehouse"] * 2
    found = await get_limit(ledger)
    assert found is not None
    assert (found.in_use, found.waiting) == (2, 2)
    assert await open_runs(ledger) == []
    await ledger.record(ended(started[0]))
    assert len(await open_runs(ledger)) == 1
    assert len((await ledger.starts.start(ME, await open_runs(ledger))).begun) == 1


async def test_a_key_without_a_limit_holds_nothing_up(ledger: Ledger, clock: FakeClock) -> None:
    assert len((await ledger.starts.start(ME, await key_jobs(ledger, clock, 4))).begun) == 4


async def test_runs_that_two_replicas_start_at_once_share_the_limit(
    ledger: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await put_limit(ledger, 3)
    runs = await key_jobs(ledger, clock, 8)
    both = await asyncio.gather(ledger.starts.start(ME, runs[:4]), rival.starts.start(OTHER, runs[4:]))
    assert sum(len(starts.begun) for starts in both) == 3


async def test_a_start_that_waits_for_the_limit_counts_what_started_before(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await put_limit(contended, 1)
    first, second = await key_jobs(contended, clock, 2)
    async with gate(contended.url, LAST_STEP) as held:
        one = asyncio.create_task(contended.starts.start(ME, [first]))
        await held.until_waiting(1)
        two = asyncio.create_task(rival.starts.start(OTHER, [second]))
        await held.until_waiting(2)
        await held.open()
        assert (len((await one).begun), len((await two).begun)) == (1, 0)


async def test_a_limit_of_7_holds_for_200_jobs_over_two_replicas_and_all_of_them_run(
    ledger: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await put_limit(ledger, 7)
    queue = await key_jobs(ledger, clock, 200)
    running: dict[UUID, list[Started]] = {ME: [], OTHER: []}
    stores = {ME: ledger, OTHER: rival}
    done = 0

    async def step(replica: UUID, asked: list[Queued]) -> None:
        started = (await stores[replica].starts.start(replica, asked)).begun if asked else []
        running[replica] += started

    await asyncio.gather(step(ME, queue[::2]), step(OTHER, queue[1::2]))
    while done < len(queue):
        in_use = sum(map(len, running.values()))
        assert 0 < in_use <= 7
        assert states(await ledger.table(job_runs)).count("running") == in_use
        replica = ME if running[ME] else OTHER
        ending, running[replica] = running[replica][:4], running[replica][4:]
        done += len(await stores[replica].record(*map(ended, ending), replica=replica))
        await asyncio.gather(step(ME, await open_runs(ledger)), step(OTHER, await open_runs(rival)))
        await step(ME, await open_runs(ledger))  # what they had locked for each other
    assert set(states(await ledger.table(job_runs))) == {"succeeded"}


async def test_a_newcomer_stands_behind_those_that_wait(ledger: Ledger, clock: FakeClock) -> None:
    await put_limit(ledger, 1)
    [running] = (await ledger.starts.start(ME, await key_jobs(ledger, clock, 2))).begun
    late = await ledger.create("late", policies=Policies(concurrency_key=KEY))
    clock.step(SECOND)
    await ledger.record(ended(running))
    manual = await ledger.runs.trigger("late")
    assert (await ledger.starts.start(ME, [queued(manual)])).begun == []
    assert (await ledger.run_of(late)).waiting_for == "limit warehouse"
    [first] = await open_runs(ledger)
    assert first.run_id != manual.id


async def test_a_run_between_two_attempts_holds_no_key_and_waits_for_it_again(ledger: Ledger, clock: FakeClock) -> None:
    await put_limit(ledger, 1)
    one, two = await key_jobs(ledger, clock, 2, retry=Retry(min_backoff_seconds=0, max_backoff_seconds=0))
    [first] = (await ledger.starts.start(ME, [one])).begun
    await ledger.record(ended(first, error="status: 500"))
    clock.step(SECOND)
    [second] = (await ledger.starts.start(ME, [two])).begun
    assert (await ledger.starts.start(ME, [one])).begun == []
    assert await waiting(ledger) == ["limit warehouse"]
    await ledger.record(ended(second))
    [again] = (await ledger.starts.start(ME, await open_runs(ledger))).begun
    assert (again.call.run_id, again.call.attempt) == (first.call.run_id, 2)


async def test_a_dead_replicas_run_holds_its_key_until_it_is_taken_over(ledger: Ledger, clock: FakeClock) -> None:
    await put_limit(ledger, 1)
    await ledger.replicas.join(ME, "here")
    await ledger.starts.start(ME, await key_jobs(ledger, clock, 2))
    assert await open_runs(ledger) == []
    await ledger.replicas.leave(ME)
    await ledger.replicas.bury(timedelta(seconds=30))
    assert len(await open_runs(ledger)) == 1


async def test_a_limit_that_is_raised_or_removed_lets_more_through(ledger: Ledger, clock: FakeClock) -> None:
    await put_limit(ledger, 0)
    runs = await key_jobs(ledger, clock, 4)
    assert (await ledger.starts.start(ME, runs)).begun == []
    assert await open_runs(ledger) == []
    await put_limit(ledger, 2)
    assert len(await open_runs(ledger)) == 2
    async with ledger.database.begin() as connection:
        assert await LimitRepository(connection).remove(KEY)
        assert not await LimitRepository(connection).remove(KEY)
    assert len(await open_runs(ledger, limit=3)) == 3
    assert len((await ledger.starts.start(ME, await open_runs(ledger))).begun) == 4


async def test_a_rate_lets_so_many_start_in_a_second(ledger: Ledger, clock: FakeClock) -> None:
    await put_limit(ledger, rate=2)
    runs = await key_jobs(ledger, clock, 9)
    assert len((await ledger.starts.start(ME, runs)).begun) == 2
    for seconds, expected in ((0.4, 0), (0.1, 1), (0.75, 1), (0.25, 1), (60, 2)):
        clock.step(timedelta(seconds=seconds))
        found = await open_runs(ledger)
        assert len(found) == expected
        assert len((await ledger.starts.start(ME, found)).begun if found else []) == expected


async def test_a_rate_below_one_lets_one_start_at_a_time(ledger: Ledger, clock: FakeClock) -> None:
    await put_limit(ledger, rate=0.1)
    assert len((await ledger.starts.start(ME, await key_jobs(ledger, clock, 3))).begun) == 1
    clock.step(9 * SECOND)
    assert await open_runs(ledger) == []
    clock.step(SECOND)
    assert len(await open_runs(ledger)) == 1


async def test_a_clock_that_goes_back_brings_no_tokens(ledger: Ledger, clock: FakeClock) -> None:
    await put_limit(ledger, rate=1)
    runs = await key_jobs(ledger, clock, 3)
    assert len((await ledger.starts.start(ME, runs)).begun) == 1
    clock.step(SECOND)
    assert len((await ledger.starts.start(ME, runs)).begun) == 1
    clock.step(-SECOND)
    assert (await ledger.starts.start(ME, runs)).begun == []
    clock.step(SECOND)
    assert (await ledger.starts.start(ME, runs)).begun == []
    clock.step(SECOND)
    assert len((await ledger.starts.start(ME, runs)).begun) == 1


async def test_the_tokens_outlive_a_change_of_the_limit(ledger: Ledger, clock: FakeClock) -> None:
    await put_limit(ledger, rate=5)
    runs = await key_jobs(ledger, clock, 9)
    assert len((await ledger.starts.start(ME, runs[:4])).begun) == 4
    await put_limit(ledger, 100, rate=20)
    assert len((await ledger.starts.start(ME, runs[4:])).begun) == 1


async def test_a_limit_that_is_deleted_while_it_is_replaced_is_made_anew(
    postgres: Ledger, rival: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = LimitRepository._rows

    async def deleted_before(limits: LimitRepository, query: Any) -> Any:
        monkeypatch.setattr(LimitRepository, "_rows", read)
        async with rival.database.begin() as connection:
            assert await LimitRepository(connection).remove(KEY)
        return await read(limits, query)

    await put_limit(postgres, 7)
    monkeypatch.setattr(LimitRepository, "_rows", deleted_before)
    await put_limit(postgres, 3)
    found = await get_limit(postgres)
    assert found is not None
    assert found.max_concurrency == 3


async def test_the_runs_of_a_job_that_skips_do_not_pile_up_at_a_limit(ledger: Ledger, clock: FakeClock) -> None:
    await put_limit(ledger, 0)
    job = await ledger.create(policies=Policies(concurrency_key=KEY))
    for _ in range(3):
        clock.step(MINUTE)
        if queued_now := (await ledger.claim(clock.now(), job)).queued:
            await ledger.starts.start(ME, queued_now)
    assert states(await ledger.runs_of(job)) == ["pending", "skipped", "skipped"]
