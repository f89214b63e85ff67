"""What passes by itself is StoreUnavailable, so that it is tried again; what does not is told as it is."""

from __future__ import annotations

import asyncio
import gc
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db import engine
from app.domain.clock import FakeClock
from app.domain.errors import StoreUnavailable
from tests.db.building import ME, MINUTE, NOON, Ledger, opened, roomy, used
from tests.db.cutting import network
from tests.db.locks import terminate_all

DUE = NOON + MINUTE


async def test_a_backend_that_is_terminated_is_an_outage_that_passes(contended: Ledger, clock: FakeClock) -> None:
    job = await contended.create()
    clock.step(MINUTE)
    slots = roomy()
    candidate = await contended.candidate(job, DUE)
    await terminate_all(contended.url)
    with pytest.raises(StoreUnavailable):
        await contended.claims.claim(ME, [candidate], slots)
    assert used(slots) == 0
    assert (await contended.claims.claim(ME, [candidate], slots)).won == [candidate]


async def test_a_database_that_nobody_answers_for_is_an_outage(clock: FakeClock) -> None:
    async with network("postgresql://nobody@127.0.0.1:9/none") as (_, url), opened(url, clock) as nowhere:
        with pytest.raises(StoreUnavailable):
            await nowhere.rows.time()
        with pytest.raises(StoreUnavailable):
            await nowhere.create()


async def test_a_network_that_ends_leaves_nothing_behind(postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whether the server takes the connections or refuses them. What a task failed with is told once it is garbage."""
    before = asyncio.all_tasks()
    for url in (postgres_url, "postgresql://nobody@127.0.0.1:9/none"):
        async with network(url) as (_, through):
            where = urlsplit(through)
            clients = [await asyncio.open_connection(where.hostname, where.port) for _ in range(2)]
        assert asyncio.all_tasks() == before
        async with asyncio.timeout(10):
            for reader, writer in clients:
                assert await reader.read() == b""
                writer.close()
    gc.collect()
    assert caplog.records == []


async def test_of_two_that_deadlock_one_is_told_to_try_again(contended: Ledger) -> None:
    await contended.populate(2)
    met = asyncio.Barrier(2)

    async def lock(*names: str) -> None:
        async with contended.database.begin() as connection:
            for name in names:
                await connection.execute(text("SELECT 1 FROM cron_jobs WHERE name = :name FOR UPDATE"), {"name": name})
                if name == names[0]:
                    await met.wait()

    both = await asyncio.gather(lock("job-0", "job-1"), lock("job-1", "job-0"), return_exceptions=True)
    assert sorted(str(type(each).__name__) for each in both) == ["NoneType", "StoreUnavailable"]


async def test_a_standby_is_an_outage(contended: Ledger) -> None:
    async def write() -> None:
        async with contended.database.begin() as connection:
            await connection.execute(text("SET TRANSACTION READ ONLY"))
            await connection.execute(text("DELETE FROM cron_jobs"))

    with pytest.raises(StoreUnavailable):
        await write()


async def test_a_pool_that_is_used_up_is_an_outage(contended_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "COMMAND_TIMEOUT", 0.05)
    async with opened(contended_url, None, pool=1) as ledger, ledger.database.begin():
        with pytest.raises(StoreUnavailable):
            await ledger.rows.time()


async def test_a_statement_that_takes_too_long_is_an_outage(contended_url: str) -> None:
    database = engine.connect(contended_url, patience=0.05)
    try:
        with pytest.raises(StoreUnavailable):
            async with database.begin() as connection:
                await connection.execute(
                    text(f"SELECT {'pg_sleep' if database.dialect == 'postgresql' else 'sleep'}(30)")
                )
    finally:
        await database.close()


async def test_a_transaction_that_says_nothing_more_holds_nobody_up(contended: Ledger) -> None:
    job = await contended.create()
    frozen = engine.connect(contended.url, patience=1)
    lock = text("SELECT 1 FROM cron_jobs WHERE id = :id FOR UPDATE")

    passed = asyncio.Event()

    async def freeze() -> None:
        async with frozen.begin() as connection:
            await connection.execute(lock, {"id": job.id})
            async with asyncio.timeout(5), contended.database.begin() as other:
                await other.execute(lock, {"id": job.id})
                passed.set()
            await connection.execute(lock, {"id": job.id})

    try:
        with pytest.raises(StoreUnavailable):
            await freeze()
        assert passed.is_set()
    finally:
        await frozen.close()


async def test_a_migration_may_think_for_as_long_as_it_likes(postgres_url: str) -> None:
    database = engine.connect(postgres_url, patience=None)
    try:
        async with database.read() as connection:
            assert await connection.scalar(text("SHOW idle_in_transaction_session_timeout")) == "0"
    finally:
        await database.close()


async def test_whose_a_connection_is_can_be_seen(postgres_url: str) -> None:
    database = engine.connect(postgres_url)
    try:
        async with database.read() as connection:
            assert await connection.scalar(text("SHOW application_name")) == "cronledger"
    finally:
        await database.close()


async def test_a_mistake_is_no_outage(contended: Ledger) -> None:
    with pytest.raises(DBAPIError) as told:
        await contended.execute("SELECT nothing FROM nowhere")
    assert told.value.__cause__ is not told.value
