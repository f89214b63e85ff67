"""Runs of a backfill, so many at a time over all replicas; and what else of their job may go on meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from app.db.limits import LimitRepository
from app.db.tables import job_runs
from app.domain.backfill import BackfillRequest
from app.domain.claim import Queued, Started
from app.domain.clock import FakeClock
from app.domain.policies import Misfire, MisfirePolicy, Overlap, Policies
from app.domain.retry import Retry
from app.domain.run import Trigger
from tests.db.backfilling import PAST, backfill, every_run, instants, ready, start
from tests.db.building import ME, MINUTE, NOON, OTHER, SECOND, Ledger, ended, opened, roomy, states
from tests.db.locks import gate

LAST_STEP = "LOCK TABLE job_runs IN SHARE MODE"


async def test_so_many_start_oldest_first_and_the_next_when_one_has_ended(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.create()
    made = await backfill(ledger, 6, 2)
    first = await start(ledger)
    assert sorted(instants(first)) == [PAST + MINUTE, PAST + 2 * MINUTE]
    assert {each.call.trigger for each in first} == {Trigger.BACKFILL}
    assert await ready(ledger) == []
    assert await start(ledger, await every_run(ledger, made)) == []
    clock.step(SECOND)
    await ledger.record(ended(first[1]))
    assert instants(await start(ledger)) == [PAST + 3 * MINUTE]


async def test_what_waits_says_for_which_backfill(ledger: Ledger) -> None:
    job = await ledger.create()
    made = await backfill(ledger, 3)
    await start(ledger)
    rows = sorted(await ledger.runs_of(job), key=lambda row: row.scheduled_for)
    assert [(row.state, row.waiting_for) for row in rows] == [
        ("running", None),
        ("pending", f"backfill {made.id}"),
        ("pending", f"backfill {made.id}"),
    ]


async def test_two_replicas_that_start_them_at_once_keep_to_the_concurrency(ledger: Ledger, rival: Ledger) -> None:
    await ledger.create()
    runs = await every_run(ledger, await backfill(ledger, 40, 5))
    started: dict[UUID, list[Started]] = {ME: [], OTHER: []}
    stores, done = {ME: ledger, OTHER: rival}, 0

    async def step(replica: UUID, asked: list[Queued]) -> None:
        started[replica] += await start(stores[replica], asked, replica)

    await asyncio.gather(step(ME, runs[::2]), step(OTHER, runs[1::2]))
    while done < len(runs):
        under_way = sum(map(len, started.values()))
        assert 0 < under_way <= 5
        assert states(await ledger.table(job_runs)).count("running") == under_way
        replica = ME if started[ME] else OTHER
        ending, started[replica] = started[replica][:3], started[replica][3:]
        done += len(await stores[replica].record(*map(ended, ending), replica=replica))
        await asyncio.gather(step(ME, runs[:20]), step(OTHER, runs[20:]), step(ME, await ready(ledger)))
        await step(ME, await ready(ledger))  # what they had locked for each other
    assert set(states(await ledger.table(job_runs))) == {"succeeded"}


async def test_a_start_that_meets_another_counts_it_afterwards(contended: Ledger, rival: Ledger) -> None:
    await contended.create()
    first, second = await every_run(contended, await backfill(contended, 2))
    async with gate(contended.url, LAST_STEP) as held:
        one = asyncio.create_task(contended.starts.start(ME, [first]))
        await held.until_waiting(1)
        assert (await rival.starts.start(OTHER, [second])).busy == [second]
        await held.open()
        assert len((await one).begun) == 1
    assert (await rival.starts.start(OTHER, [second])).begun == []


async def test_a_replica_that_begins_anew_goes_on_with_them(ledger: Ledger) -> None:
    await ledger.create()
    await backfill(ledger, 2)
    async with opened(ledger.url, FakeClock(NOON)) as restarted:
        [first] = await start(restarted, replica=OTHER)
        await restarted.record(ended(first), replica=OTHER)
        [second] = await start(restarted, replica=OTHER)
    assert instants([first, second]) == [PAST + MINUTE, PAST + 2 * MINUTE]


async def test_the_run_of_a_dead_replica_keeps_its_place(ledger: Ledger) -> None:
    await ledger.create()
    await backfill(ledger, 2)
    await ledger.replicas.join(ME, "here")
    [first] = await start(ledger)
    await ledger.replicas.leave(ME)
    await ledger.replicas.bury(timedelta(seconds=30))
    assert await ready(ledger) == []
    [again] = await start(ledger, await ledger.starts.pending(10, [], timedelta(0)), OTHER)
    assert (again.call.run_id, again.call.attempt) == (first.call.run_id, 2)


async def test_a_run_between_two_attempts_keeps_its_place(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.create(policies=Policies(retry=Retry(min_backoff_seconds=60, max_backoff_seconds=60)))
    await backfill(ledger, 2)
    [first] = await start(ledger)
    await ledger.record(ended(first, error="status: 500"))
    assert await ready(ledger) == []
    clock.step(2 * MINUTE)
    [again] = await start(ledger, await ledger.starts.pending(10, [], timedelta(0)))
    assert (again.call.run_id, again.call.attempt) == (first.call.run_id, 2)


async def test_two_backfills_of_a_job_each_have_their_own_places(ledger: Ledger) -> None:
    await ledger.create()
    await backfill(ledger, 3)
    wanted = BackfillRequest(since=PAST + 3 * MINUTE, until=PAST + 6 * MINUTE, concurrency=2)
    await ledger.backfills.create("job", wanted)
    assert sorted(instants(await start(ledger))) == [PAST + MINUTE, PAST + 4 * MINUTE, PAST + 5 * MINUTE]


@pytest.mark.parametrize("overlap", Overlap)
async def test_scheduled_runs_and_backfills_go_on_beside_each_other(
    ledger: Ledger, clock: FakeClock, overlap: Overlap
) -> None:
    job = await ledger.create(policies=Policies(overlap=overlap))
    await backfill(ledger, 3, 2)
    first = await start(ledger)
    assert len(first) == 2
    clock.step(MINUTE)
    on_time = await ledger.running(clock.now(), job)
    assert on_time.call.trigger is Trigger.SCHEDULE
    await ledger.record(ended(first[0]))
    assert len(await start(ledger)) == 1
    assert set(states(await ledger.runs_of(job))) == {"running", "succeeded"}


async def test_what_is_queued_behind_a_scheduled_run_does_not_wait_for_a_backfill(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await ledger.create(policies=Policies(overlap=Overlap.QUEUE))
    clock.step(MINUTE)
    before = await ledger.running(clock.now(), job)
    clock.step(MINUTE)
    await ledger.claim(clock.now(), job)
    await backfill(ledger, 1)
    [filling] = await start(ledger)
    assert filling.call.trigger is Trigger.BACKFILL
    await ledger.record(ended(before))
    [queued] = await start(ledger)
    assert queued.call.scheduled_for == NOON + 2 * MINUTE


async def _late(ledger: Ledger, clock: FakeClock) -> None:
    """Three occurrences are to be caught up, one after the other."""
    job = await ledger.create(schedule="0 * * * *", policies=Policies(misfire=Misfire(policy=MisfirePolicy.ALL)))
    clock.step(timedelta(hours=3, minutes=30))
    await ledger.claim(clock.now(), job)
    wanted = BackfillRequest(since=PAST, until=PAST + timedelta(hours=4), concurrency=2)
    await ledger.backfills.create("job", wanted)


async def test_catch_up_and_backfill_wait_for_each_other_and_catch_up_goes_first(
    ledger: Ledger, clock: FakeClock
) -> None:
    await _late(ledger, clock)
    seen: list[tuple[str, ...]] = []
    for _ in range(20):
        found = await start(ledger)
        if not found:
            found = await start(ledger)  # what came to the gate of its job just then
        if not found:
            break
        seen.append(tuple(each.call.trigger for each in found))
        await ledger.record(*map(ended, found))
    assert seen == [("catch_up",)] * 3 + [("backfill", "backfill")] * 2
    assert set(states(await ledger.table(job_runs))) == {"succeeded"}


async def test_what_is_to_be_caught_up_waits_for_the_backfilled_runs_that_have_begun_and_for_no_more(
    ledger: Ledger, clock: FakeClock
) -> None:
    await ledger.create(schedule="0 * * * *", policies=Policies(misfire=Misfire(policy=MisfirePolicy.LATEST)))
    wanted = BackfillRequest(since=PAST, until=PAST + timedelta(hours=4), concurrency=2)
    await ledger.backfills.create("job", wanted)
    one, other = await start(ledger)
    clock.step(timedelta(hours=1, minutes=30))
    await ledger.claims.claim(ME, await ledger.candidates(clock.now()), roomy())
    assert await start(ledger) == []
    await ledger.record(ended(one))
    assert await start(ledger) == []
    assert await start(ledger, await every_run(ledger)) == []
    [first] = await ready(ledger)
    await ledger.record(ended(other))
    [caught_up] = await start(ledger)
    assert (caught_up.call.run_id, caught_up.call.trigger) == (first.run_id, Trigger.CATCH_UP)
    assert await start(ledger) == []
    await ledger.record(ended(caught_up))
    assert len(await start(ledger)) == 2


async def test_a_key_of_the_job_holds_as_well(ledger: Ledger) -> None:
    await ledger.create(policies=Policies(concurrency_key="warehouse"))
    async with ledger.database.begin() as connection:
        await LimitRepository(connection).put("warehouse", 2, None, NOON)
    await backfill(ledger, 6, 4)
    running = await start(ledger)
    assert len(running) == 2
    for _ in range(4):
        await ledger.record(ended(running.pop(0)))
        running += await start(ledger)
        assert 0 < len(running) <= 2


async def test_at_a_key_that_is_full_backfills_come_last(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(concurrency_key="warehouse"))
    async with ledger.database.begin() as connection:
        await LimitRepository(connection).put("warehouse", 0, None, NOON)
    await backfill(ledger, 1)
    assert await start(ledger) == []
    clock.step(MINUTE)
    await start(ledger, (await ledger.claim(clock.now(), job)).queued)
    assert {row.waiting_for for row in await ledger.runs_of(job)} == {"limit warehouse"}
    async with ledger.database.begin() as connection:
        await LimitRepository(connection).put("warehouse", 1, None, NOON)
    [first] = await start(ledger)
    assert first.call.trigger is Trigger.SCHEDULE


async def test_a_change_of_policies_leaves_the_line_as_it_is(ledger: Ledger) -> None:
    job = await ledger.create()
    made = await backfill(ledger, 3)
    await ledger.patch("job", policies=Policies(overlap=Overlap.ALLOW))
    assert {row.waiting_for for row in await ledger.runs_of(job)} == {f"backfill {made.id}"}


async def test_they_yield_and_are_left_out_where_their_host_is_crowded(ledger: Ledger) -> None:
    await ledger.create()
    await backfill(ledger, 3, 2)
    found = await ready(ledger)
    assert [each.yields for each in found] == [True, True]
    assert [each.yields for each in ledger.heard.queued] == [True, True]
    assert (await ledger.starts.opened(1000, [], [found[0].host])).runs == []
