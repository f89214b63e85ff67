"""No event is skipped, however late its transaction commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy import text

from app.db.events import PAGE
from app.db.trace_tables import events
from app.domain.event import EventFilter, EventKind
from tests.db.building import Ledger
from tests.db.telling import Reader, newest
from tests.servers.postgres import plain_dsn

CHANGE = "UPDATE cron_jobs SET version = version + 1 WHERE name = "


@asynccontextmanager
async def session(ledger: Ledger) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(plain_dsn(ledger.url))
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


@asynccontextmanager
async def open_transaction(ledger: Ledger, job: str) -> AsyncIterator[asyncpg.transaction.Transaction]:
    """It has changed the job, and so has its event."""
    async with session(ledger) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(f"{CHANGE} '{job}'")
        yield transaction


@pytest.fixture
async def reader(postgres: Ledger) -> Reader:
    """It has read that the jobs a, b and c were made."""
    for name in "abc":
        await postgres.create(name, "@manual")
    reader = Reader(postgres)
    assert len(await reader.read()) == 3
    return reader


async def test_what_commits_late_comes_before_what_was_committed_meanwhile(postgres: Ledger, reader: Reader) -> None:
    async with open_transaction(postgres, "a") as late:
        for name in ("b", "c"):
            await postgres.execute(f"{CHANGE} '{name}'")
            assert await reader.read() == []
        assert await reader.read() == []
        await late.commit()
        assert await reader.read() == [("job.changed", "a"), ("job.changed", "b"), ("job.changed", "c")]
    assert await reader.read() == []


async def test_a_transaction_that_is_the_newest_of_all_is_waited_for_too(postgres: Ledger, reader: Reader) -> None:
    async with open_transaction(postgres, "a") as late:
        for _ in range(3):
            assert await reader.read() == []
            assert reader.position < await newest(postgres)
        await late.commit()
    assert await reader.read() == [("job.changed", "a")]


async def test_what_is_rolled_back_is_not_waited_for(postgres: Ledger, reader: Reader) -> None:
    async with open_transaction(postgres, "a") as aborted:
        await postgres.execute(f"{CHANGE} 'b'")
        assert await reader.read() == []
        await aborted.rollback()
    assert await reader.read() == [("job.changed", "b")]


async def test_what_ended_before_is_read_while_others_go_on(postgres: Ledger, reader: Reader) -> None:
    async with open_transaction(postgres, "a") as first:
        await postgres.execute(f"{CHANGE} 'b'")
        assert await reader.read() == []
        async with open_transaction(postgres, "c") as second:
            assert await reader.read() == []
            await first.commit()
            assert await reader.read() == [("job.changed", "a"), ("job.changed", "b")]
            assert await reader.read() == []
            await second.commit()
        assert await reader.read() == [("job.changed", "c")]


async def test_an_event_written_late_in_a_long_transaction_is_not_skipped(postgres: Ledger, reader: Reader) -> None:
    """It has its number long before, and its id after others that have ended."""
    async with session(postgres) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE cron_jobs SET last_error = 'x' WHERE name = 'a'")
        await postgres.execute(f"{CHANGE} 'b'")
        assert await reader.read() == []
        await connection.execute(f"{CHANGE} 'a'")
        assert await reader.read() == []
        await transaction.commit()
    assert await reader.read() == [("job.changed", "b"), ("job.changed", "a")]


async def test_who_only_reads_is_not_waited_for(postgres: Ledger, reader: Reader) -> None:
    async with session(postgres) as connection, connection.transaction(isolation="repeatable_read"):
        await connection.fetchval("SELECT count(*) FROM events")
        await postgres.execute(f"{CHANGE} 'b'")
        assert await reader.read() == [("job.changed", "b")]


async def test_a_reader_that_begins_while_a_transaction_is_open_waits_for_it(postgres: Ledger, reader: Reader) -> None:
    async with open_transaction(postgres, "a") as late:
        await postgres.execute(f"{CHANGE} 'b'")
        second = Reader(postgres, reader.position)
        assert await second.read() == []
        assert second.horizon.value is None
        await late.commit()
        assert await second.read() == [("job.changed", "a"), ("job.changed", "b")]


async def test_savepoints_have_the_number_of_their_transaction(postgres: Ledger, reader: Reader) -> None:
    async with session(postgres) as connection:
        outer = connection.transaction()
        await outer.start()
        async with connection.transaction():
            await connection.execute(f"{CHANGE} 'a'")
        await postgres.execute(f"{CHANGE} 'b'")
        assert await reader.read() == []
        await outer.commit()
    assert await reader.read() == [("job.changed", "a"), ("job.changed", "b")]


async def test_a_transaction_that_is_open_for_hours_costs_a_bounded_memory(postgres: Ledger, reader: Reader) -> None:
    async with open_transaction(postgres, "a") as late:
        for _ in range(130):
            await postgres.execute(f"{CHANGE} 'b'")
            assert await reader.read() == []
        assert len(reader.horizon._marks) == 100
        await late.commit()
    assert len(await reader.read()) > 99
    await reader.read()
    assert reader.position == await newest(postgres)


async def test_writers_by_the_dozen_lose_nothing_and_keep_the_order_of_each_job(contended: Ledger) -> None:
    names = [f"job-{number}" for number in range(6)]
    for name in names:
        await contended.create(name, "@manual")
    reader, read = Reader(contended), list[tuple[str, str]]()
    read += await reader.read()

    async def write(turn: int) -> None:
        for number in range(40):
            async with contended.database.begin() as connection:
                for name in sorted({names[(turn + number) % 6], names[(turn * number) % 6]}):
                    await connection.execute(text(f"{CHANGE} '{name}'"))

    writing = asyncio.gather(*map(write, range(4)))
    while not writing.done():
        read += await reader.read()
    await writing
    read += await reader.read()
    rows = await contended.table(events)
    assert read == [(row.kind, row.job_name) for row in rows]
    for name in names:
        versions = [row.job_version for row in rows if row.job_name == name]
        assert versions == list(range(1, len(versions) + 1))


async def test_pages_follow_each_other_over_gaps(ledger: Ledger) -> None:
    await ledger.populate(PAGE * 2 + 7)
    await ledger.execute("DELETE FROM events WHERE id % 10 = 3")
    await ledger.execute("UPDATE events SET id = id + 30000 WHERE id > 900")
    assert len(await Reader(ledger, 0).read()) <= PAGE * 2 + 7
    reader = Reader(ledger)
    reader.horizon.value = 40_000
    found, position = [], 0
    while position < 40_000:
        page, position = await reader._log.page(position, 40_000, EventFilter())
        found += [event.id for event in page]
    assert found == [row.id for row in await ledger.table(events)]


async def test_filters_choose_by_the_name_then_and_by_kind(ledger: Ledger) -> None:
    await ledger.create("a", "@manual")
    await ledger.create("b", "@manual")
    await ledger.jobs.delete("a")
    by_name = Reader(ledger, filters=EventFilter(job="a"))
    assert await by_name.read() == [("job.created", "a"), ("job.deleted", "a")]
    assert by_name.position == await newest(ledger)
    kinds = frozenset({EventKind.JOB_DELETED, EventKind.RUN_FAILED})
    assert await Reader(ledger, filters=EventFilter(kinds=kinds)).read() == [("job.deleted", "a")]
