from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from app.db.trace_tables import replicas as replica_table
from app.db.transaction import reading
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from app.domain.policies import Delivery, Policies
from app.domain.replica import Peer, Role, Vitals
from app.domain.run import State, Trigger
from tests.db.building import JUST, ME, MINUTE, NOON, OTHER, Ledger, ended, queued, states

LEASE = timedelta(seconds=30)
DUE = NOON + MINUTE


@pytest.fixture
async def job(ledger: Ledger, clock: FakeClock) -> PersistedJob:
    """Due just now; both replicas are there."""
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.replicas.join(ME, "here")
    await ledger.replicas.join(OTHER, "here")
    return job


async def _dead(ledger: Ledger) -> set[UUID]:
    async with ledger.database.read() as connection:
        found = await connection.execute(replica_table.select().where(replica_table.c.dead))
        return {row.id for row in found}


async def _die(ledger: Ledger, clock: FakeClock, survivor: UUID) -> int:
    """Let the lease of everyone but the survivor end, who then looks; how many runs it took over."""
    clock.step(LEASE + JUST)
    await ledger.replicas.beat(survivor)
    return len(await ledger.replicas.bury(LEASE))


async def test_a_heartbeat_renews_the_lease(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.replicas.join(ME, "here")
    clock.step(LEASE)
    assert not await ledger.replicas.bury(LEASE)
    assert await ledger.replicas.beat(ME)
    clock.step(LEASE)
    await ledger.replicas.bury(LEASE)
    assert await _dead(ledger) == set()
    clock.step(JUST)
    await ledger.replicas.bury(LEASE)
    assert await _dead(ledger) == {ME}
    assert not await ledger.replicas.beat(ME)


async def test_a_replica_without_a_row_has_no_heartbeat(ledger: Ledger) -> None:
    assert not await ledger.replicas.beat(ME)


async def test_a_host_may_have_a_long_name(ledger: Ledger) -> None:
    await ledger.replicas.join(ME, "h" * 300)
    assert await ledger.replicas.beat(ME)


async def test_the_dead_are_remembered_for_as_long_as_runs_are_kept(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.replicas.join(ME, "here")
    await ledger.replicas.leave(ME)
    clock.step(timedelta(days=30))
    await ledger.replicas.join(OTHER, "here")
    assert await _dead(ledger) == {ME}
    clock.step(JUST)
    await ledger.replicas.join(UUID(int=3), "here")
    assert await _dead(ledger) == set()
    assert await ledger.replicas.beat(OTHER)


async def test_peers_are_those_that_schedule_and_are_not_dead(ledger: Ledger) -> None:
    await ledger.replicas.join(ME, "here")
    await ledger.replicas.join(OTHER, "here", "1.2.3", Role.SCHEDULER)
    await ledger.replicas.join(UUID(int=3), "here", "1.2.3", Role.API)
    await ledger.replicas.beat(OTHER, Vitals(claims=7))
    assert set(await ledger.replicas.peers()) == {Peer(ME, 0), Peer(OTHER, 7)}
    await ledger.replicas.leave(ME)
    assert await ledger.replicas.peers() == [Peer(OTHER, 7)]


async def test_who_only_serves_the_api_is_nobody_who_could_have_called(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.replicas.join(ME, "here", "1.2.3", Role.API)
    async with reading(ledger.database) as tx:
        assert await tx.history.presences(NOON, clock.now()) == []


async def test_the_runs_of_the_living_are_not_taken(ledger: Ledger, job: PersistedJob) -> None:
    await ledger.running(DUE, job)
    assert not await ledger.replicas.bury(LEASE)
    assert (await ledger.run_of(job)).owner == ME


async def test_a_dead_replicas_run_is_pending_and_called_again(
    ledger: Ledger, job: PersistedJob, clock: FakeClock
) -> None:
    first = await ledger.running(DUE, job)
    assert await _die(ledger, clock, survivor=OTHER) == 1
    run = await ledger.run_of(job)
    assert (run.state, run.owner, run.takeovers, run.due_at) == ("pending", None, 1, clock.now())
    [second] = (await ledger.starts.start(OTHER, [queued(run)])).begun
    assert (second.call.run_id, second.call.attempt, second.fence) == (first.call.run_id, 2, 2)


async def test_a_late_result_of_the_dead_is_discarded(ledger: Ledger, job: PersistedJob, clock: FakeClock) -> None:
    first = await ledger.running(DUE, job)
    await _die(ledger, clock, survivor=OTHER)
    assert await ledger.record(ended(first)) == set()
    [second] = (await ledger.starts.start(OTHER, [queued(await ledger.run_of(job))])).begun
    assert await ledger.record(ended(first)) == set()
    assert await ledger.record(ended(second), replica=OTHER) == {first.call.run_id}
    assert states(await ledger.runs_of(job)) == ["succeeded"]


async def test_a_run_that_outlives_three_replicas_is_lost_with_the_fourth(
    ledger: Ledger, job: PersistedJob, clock: FakeClock
) -> None:
    await ledger.running(DUE, job)
    for attempt in (2, 3, 4):
        await _die(ledger, clock, survivor=OTHER)
        await ledger.replicas.join(UUID(int=attempt), "here")
        [again] = (await ledger.starts.start(UUID(int=attempt), [queued(await ledger.run_of(job))])).begun
        assert again.call.attempt == attempt
    assert await _die(ledger, clock, survivor=OTHER) == 1
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.attempt, run.finished_at) == ("lost", "replica died", 4, clock.now())
    assert not await ledger.replicas.bury(LEASE)


async def test_an_owner_that_has_no_row_is_dead(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    await ledger.running(DUE, job, replica=UUID(int=99))
    assert len(await ledger.replicas.bury(LEASE)) == 1
    assert states(await ledger.runs_of(job)) == ["pending"]


async def test_who_leaves_is_dead_at_once(ledger: Ledger, job: PersistedJob) -> None:
    await ledger.running(DUE, job)
    await ledger.replicas.leave(ME)
    assert not await ledger.replicas.beat(ME)
    assert len(await ledger.replicas.bury(LEASE)) == 1
    assert states(await ledger.runs_of(job)) == ["pending"]


async def test_a_dead_replicas_run_of_a_deleted_job_is_lost(
    ledger: Ledger, job: PersistedJob, clock: FakeClock
) -> None:
    await ledger.running(DUE, job)
    await ledger.jobs.delete("job")
    assert await _die(ledger, clock, survivor=OTHER) == 1
    assert states(await ledger.runs_of(job)) == ["lost"]


async def test_what_is_owned_is_told_with_its_fence(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    assert await ledger.replicas.owned(ME) == {started.call.run_id: 1}
    assert await ledger.replicas.owned(OTHER) == {}
    await ledger.record(ended(started))
    assert await ledger.replicas.owned(ME) == {}


async def test_a_run_that_was_never_called_is_handed_back_with_its_attempt(
    ledger: Ledger, job: PersistedJob, clock: FakeClock
) -> None:
    started = await ledger.running(DUE, job)
    clock.step(MINUTE)
    assert await ledger.replicas.hand_back(ME, {started.call.run_id: 1}) == 1
    run = await ledger.run_of(job)
    assert (run.state, run.owner, run.attempt, run.fence, run.takeovers) == ("pending", None, 0, 1, 0)
    assert run.due_at == DUE + MINUTE
    [again] = (await ledger.starts.start(ME, [queued(run)])).begun
    assert (again.call.attempt, again.fence) == (1, 2)
    assert await ledger.record(ended(started)) == set()


@pytest.mark.parametrize(("replica", "fence"), [(OTHER, 1), (ME, 2)])
async def test_only_ones_own_start_is_handed_back(ledger: Ledger, job: PersistedJob, replica: UUID, fence: int) -> None:
    started = await ledger.running(DUE, job)
    assert await ledger.replicas.hand_back(replica, {started.call.run_id: fence}) == 0
    assert states(await ledger.runs_of(job)) == ["running"]


async def test_what_is_handed_back_of_a_deleted_job_is_canceled(ledger: Ledger, job: PersistedJob) -> None:
    started = await ledger.running(DUE, job)
    await ledger.jobs.delete("job")
    assert await ledger.replicas.hand_back(ME, {started.call.run_id: 1}) == 1
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.finished_at) == ("canceled", "deleted", DUE)


async def test_a_run_that_may_be_called_once_is_lost_with_its_replica(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(delivery=Delivery.AT_MOST_ONCE))
    clock.step(MINUTE)
    await ledger.running(DUE, job)
    await ledger.replicas.join(OTHER, "here")
    assert await ledger.replicas.bury(LEASE) == [(State.LOST, Trigger.SCHEDULE)]
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.finished_at) == ("lost", "replica died", DUE)
    assert (await ledger.row_of(job)).failures_in_a_row == 1


async def test_a_run_that_may_be_called_once_and_was_not_is_handed_back(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(delivery=Delivery.AT_MOST_ONCE))
    clock.step(MINUTE)
    started = await ledger.running(DUE, job)
    assert await ledger.replicas.hand_back(ME, {started.call.run_id: 1}) == 1
    assert states(await ledger.runs_of(job)) == ["pending"]


@pytest.mark.parametrize("way", ["takeover", "hand back"])
async def test_a_run_that_is_to_be_canceled_is_so_when_it_comes_back(
    ledger: Ledger, job: PersistedJob, way: str
) -> None:
    started = await ledger.running(DUE, job)
    await ledger.runs.cancel(started.call.run_id, "no more")
    if way == "takeover":
        await ledger.replicas.leave(ME)
        assert len(await ledger.replicas.bury(LEASE)) == 1
    else:
        assert await ledger.replicas.hand_back(ME, {started.call.run_id: 1}) == 1
    run = await ledger.run_of(job)
    assert (run.state, run.reason, run.finished_at) == ("canceled", "canceled by hand: no more", DUE)
