"""Deaths of replicas beside what others do at the same time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.db.trace_tables import replicas as replica_table
from app.domain.clock import FakeClock
from tests.db.building import JUST, ME, MINUTE, NOON, OTHER, Ledger, states
from tests.db.locks import gate

LEASE = timedelta(seconds=30)
DUE = NOON + MINUTE


async def test_a_death_that_waits_for_a_heartbeat_does_not_happen(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await contended.replicas.join(ME, "here")
    clock.step(LEASE + JUST)
    async with contended.database.begin() as beating, gate(contended.url, "SELECT 1") as watch:
        await beating.execute(replica_table.update().values(heartbeat=clock.now()).where(~replica_table.c.dead))
        burying = asyncio.create_task(rival.replicas.bury(LEASE))
        await watch.until_waiting(1)
        await beating.commit()
        assert await burying == []
    async with contended.database.read() as connection:
        assert not await connection.scalar(select(replica_table.c.dead))
    assert await contended.replicas.beat(ME)


async def test_a_heartbeat_that_waits_for_a_death_comes_too_late(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await contended.replicas.join(ME, "here")
    clock.step(LEASE + JUST)
    async with contended.database.begin() as burying, gate(contended.url, "SELECT 1") as watch:
        await burying.execute(replica_table.update().values(dead=True))
        beating = asyncio.create_task(rival.replicas.beat(ME))
        await watch.until_waiting(1)
        await burying.commit()
        assert not await beating


async def test_a_job_that_somebody_has_locked_holds_up_no_takeover_of_another(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    jobs = [await contended.create(name) for name in ("a", "b")]
    clock.step(MINUTE)
    for replica, job in zip((ME, OTHER), jobs, strict=True):
        await contended.replicas.join(replica, "here")
        await contended.running(DUE, job, replica=replica)
    await contended.replicas.leave(ME)
    async with gate(contended.url, f"SELECT FROM cron_jobs WHERE id = {jobs[0].id} FOR UPDATE") as held:
        await contended.replicas.leave(OTHER)
        assert len(await rival.replicas.bury(LEASE)) == 1
        await held.open()
    assert len(await contended.replicas.bury(LEASE)) == 1
    assert [(await contended.run_of(job)).state for job in jobs] == ["pending", "pending"]
    assert [(await contended.run_of(job)).takeovers for job in jobs] == [1, 1]


@pytest.mark.parametrize("ending", ["lost", "canceled"])
async def test_a_job_that_is_deleted_meanwhile_leaves_no_pending_run(
    contended: Ledger, rival: Ledger, clock: FakeClock, ending: str
) -> None:
    job = await contended.create()
    clock.step(MINUTE)
    started = await contended.running(DUE, job)
    mine = {started.call.run_id: started.fence}

    async def end() -> int:
        replicas = rival.replicas
        return len(await replicas.bury(LEASE)) if ending == "lost" else await replicas.hand_back(ME, mine)

    async with gate(contended.url, "LOCK TABLE job_versions IN SHARE MODE") as held:
        deleting = asyncio.create_task(contended.jobs.delete("job"))
        await held.until_waiting(1)
        assert await end() == 0
        await held.open()
        await deleting
    assert await end() == 1
    assert states(await contended.runs_of(job)) == [ending]
