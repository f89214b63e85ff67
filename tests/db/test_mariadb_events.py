"""On MariaDB events are read in the order in which their transactions were seen to end, and nobody is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import mariadb_events
from app.db.event_keeping import EventKeeper
from app.db.trace_tables import events
from tests.db.building import Ledger
from tests.db.telling import Reader, newest

CHANGE = "UPDATE cron_jobs SET version = version + 1 WHERE name = "


@asynccontextmanager
async def open_transaction(ledger: Ledger, job: str) -> AsyncIterator[AsyncConnection]:
    """It has changed the job, and so has its event."""
    async with ledger.database.engine.connect() as connection:
        await connection.execute(text(f"{CHANGE} '{job}'"))
        yield connection


@pytest.fixture
async def reader(mariadb: Ledger) -> Reader:
    """It has read that the jobs a, b and c were made."""
    for name in "abc":
        await mariadb.create(name, "@manual")
    reader = Reader(mariadb)
    assert len(await reader.read()) == 3
    return reader


async def _drafts(ledger: Ledger) -> int:
    async with ledger.database.read() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM event_drafts"))).scalar_one())


async def test_what_commits_late_comes_after_what_was_committed_meanwhile(mariadb: Ledger, reader: Reader) -> None:
    async with open_transaction(mariadb, "a") as late:
        for name in ("b", "c"):
            await mariadb.execute(f"{CHANGE} '{name}'")
            assert await reader.read() == [("job.changed", name)]
        assert await _drafts(mariadb) == 0
        await late.commit()
        assert await reader.read() == [("job.changed", "a")]
    assert await reader.read() == []


async def test_what_is_rolled_back_was_never_there(mariadb: Ledger, reader: Reader) -> None:
    async with open_transaction(mariadb, "a") as aborted:
        await mariadb.execute(f"{CHANGE} 'b'")
        assert await reader.read() == [("job.changed", "b")]
        await aborted.rollback()
    assert await reader.read() == []


async def test_readers_at_once_order_each_event_once(mariadb: Ledger, reader: Reader) -> None:
    await mariadb.populate(50)
    others = [Reader(mariadb, reader.position) for _ in range(3)]
    told = await asyncio.gather(*(each.read() for each in (reader, *others)))
    assert max(map(len, told)) == 50
    assert [len(found) + len(await each.read()) for found, each in zip(told, (reader, *others), strict=True)] == [
        50
    ] * 4
    assert [row.id for row in await mariadb.table(events)] == list(range(1, 54))


async def test_what_nobody_reads_is_ordered_by_the_keeper(mariadb: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mariadb_events, "BATCH", 10)
    await mariadb.populate(25)
    keeper, rounds = EventKeeper(mariadb.database), 1
    while await keeper.tend(budget=0):
        rounds += 1
    assert rounds == 3
    assert await _drafts(mariadb) == 0
    assert await newest(mariadb) == 25
