from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from app.db import migrate
from app.db.engine import connect
from app.db.schema_level import Standing
from app.db.tables import cron_jobs
from app.domain.clock import FakeClock
from app.service.upgrade import upgrade
from tests.conftest import sqlite_url_of
from tests.db.building import Ledger, opened
from tests.db.locks import gate
from tests.db.seed import ROWS, plant
from tests.db.tenants import ACME, put, within

TABLES = {
    "alembic_version",
    "api_keys",
    "audit_log",
    "audits",
    "backfills",
    "calendars",
    "cron_jobs",
    "cronledger_schema",
    "due_counts",
    "events",
    "idempotency_keys",
    "job_attempts",
    "job_namespaces",
    "job_runs",
    "job_secrets",
    "job_spans",
    "job_versions",
    "limits",
    "namespaces",
    "pruned",
    "replicas",
    "scheduler_switch",
    "secrets",
}


async def _tables(ledger: Ledger) -> set[str]:
    async with ledger.database.read() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    beside = {name for name in names if name.startswith(("event_", "events_", "job_attempts_", "job_runs_"))}
    return set(names) - beside


async def _differences(ledger: Ledger) -> list[str]:
    return await asyncio.to_thread(migrate.differences, ledger.url)


async def test_the_migrations_add_up_to_the_tables(ledger: Ledger) -> None:
    assert await _differences(ledger) == []
    assert await _tables(ledger) == TABLES
    assert await migrate.standing_of(ledger.database) is Standing.CURRENT


async def test_up_and_down_and_up_again(empty_database_url: str) -> None:
    async with opened(empty_database_url, None) as ledger:
        await asyncio.to_thread(migrate.upgrade, ledger.url)
        assert await migrate.standing_of(ledger.database) is Standing.CURRENT
        await ledger.create("kept", enabled=False)
        await ledger.close()
        await asyncio.to_thread(migrate.downgrade, ledger.url, "base")
        assert await _tables(ledger) == {"alembic_version", "cron_jobs"}
        assert await migrate.standing_of(ledger.database) is Standing.BEHIND
        await ledger.close()
        await asyncio.to_thread(upgrade, ledger.url)
        assert await _differences(ledger) == []
        kept = await ledger.jobs.get("kept")
        assert (kept.schedule, kept.enabled) == ("* * * * *", False)


@pytest.mark.parametrize(
    "damage",
    [
        "DROP INDEX idx_job_runs_pending ON job_runs",
        "DROP INDEX idx_cron_jobs_updated_at ON cron_jobs",
        "DROP INDEX uq_job_spans_open ON job_spans",
        "ALTER TABLE job_runs DROP COLUMN takeovers",
        "ALTER TABLE cron_jobs DROP COLUMN description",
        "ALTER TABLE cron_jobs ADD COLUMN more TEXT",
        "DROP TABLE limits",
    ],
)
async def test_a_difference_is_told(ledger: Ledger, damage: str) -> None:
    await ledger.execute(damage if ledger.database.dialect == "mariadb" else damage.partition(" ON ")[0])
    assert len(await _differences(ledger)) == 1


async def test_a_trigger_that_a_migration_lost_is_told(ledger: Ledger) -> None:
    of = " ON cron_jobs" if ledger.database.dialect == "postgresql" else ""
    await ledger.execute(f"DROP TRIGGER cronledger_job_changed{of}")
    assert await _differences(ledger) == ["the trigger cronledger_job_changed is missing"]


async def test_a_second_upgrade_does_nothing(ledger: Ledger) -> None:
    job = await ledger.create()
    await asyncio.to_thread(migrate.upgrade, ledger.url)
    assert await ledger.jobs.get("job") == job


async def test_a_database_that_was_not_migrated_is_not_current(empty_database_url: str) -> None:
    async with opened(empty_database_url, None) as ledger:
        assert await migrate.standing_of(ledger.database) is Standing.BEHIND


@pytest.mark.usefixtures("two_weeks_ahead")
async def test_partitions_are_made_two_weeks_ahead(postgres: Ledger) -> None:
    await asyncio.to_thread(migrate.upgrade, postgres.url)
    async with postgres.database.read() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert len([name for name in names if name.startswith("job_runs_")]) == 15


async def test_processes_that_migrate_at_once_do_not_race(empty_database_url: str) -> None:
    await plant(empty_database_url, ROWS)
    program = "import sys; from app.service.upgrade import upgrade; upgrade(sys.argv[1])"
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, empty_database_url, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    ended = await asyncio.gather(*[process.communicate() for process in started])
    assert [(process.returncode, error[1]) for process, error in zip(started, ended, strict=True)] == [(0, b"")] * 2
    async with opened(empty_database_url, None) as ledger:
        assert await _differences(ledger) == []
        assert {row.version for row in await ledger.table(cron_jobs)} == {2}


async def test_a_migration_waits_for_another_however_long_that_takes(
    postgres: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = 0.3
    monkeypatch.setattr(connect, "__kwdefaults__", {**(connect.__kwdefaults__ or {}), "patience": patience})
    await asyncio.to_thread(migrate.downgrade, postgres.url, "-1")
    async with gate(postgres.url, "SELECT pg_advisory_xact_lock(hashtext('cronledger migrations'))") as held:
        migrating = asyncio.create_task(asyncio.to_thread(migrate.upgrade, postgres.url))
        await held.until_waiting(1)
        began = time.monotonic()
        while time.monotonic() < began + 2 * patience:
            await held.until_waiting(1)
        await held.open()
        await migrating


async def test_a_migration_that_fails_leaves_nothing_behind(empty_database_url: str) -> None:
    await plant(empty_database_url, ROWS[:1])
    async with opened(empty_database_url, None) as ledger:
        await ledger.execute("CREATE TABLE replicas (id INTEGER)")
        with pytest.raises(Exception, match=r"replicas|reached"):
            await asyncio.to_thread(migrate.upgrade, ledger.url)
        assert await _tables(ledger) == {"cron_jobs", "replicas"}
        await ledger.execute("DROP TABLE replicas")
        await asyncio.to_thread(migrate.upgrade, ledger.url)
        assert await _differences(ledger) == []


def test_a_url_may_name_any_driver() -> None:
    for url in ("postgresql://h/d", "postgres://h/d", "postgresql+asyncpg://h/d", "postgresql+psycopg://h/d"):
        assert connect(url).engine.driver == "asyncpg", url
    for url in ("mariadb://h/d", "mysql://h/d", "mariadb+asyncmy://h/d", "mysql+pymysql://h/d"):
        assert (connect(url).engine.driver, connect(url).dialect) == ("asyncmy", "mariadb"), url
    assert connect("sqlite:///x.db").engine.driver == "aiosqlite"


async def test_an_id_that_is_gone_does_not_come_again_where_jobs_are_copied(tmp_path: Path, clock: FakeClock) -> None:
    """SQLite forgets the last id of a table that a migration makes anew."""
    async with opened(sqlite_url_of(tmp_path / "kept.db"), clock) as ledger:
        await asyncio.to_thread(migrate.upgrade, ledger.url)
        first, second = [await ledger.create(name) for name in ("first", "second")]
        await ledger.jobs.delete("second")
        await ledger.close()
        await asyncio.to_thread(migrate.downgrade, ledger.url, "20261130_page_key")
        await asyncio.to_thread(migrate.upgrade, ledger.url)
        assert (await ledger.create("third")).id == second.id + 1
        assert (await ledger.jobs.get("first")).uid == first.uid


async def test_the_release_before_does_not_get_jobs_of_namespaces(ledger: Ledger) -> None:
    await put(ledger)
    kept = await ledger.create("nightly")
    with within(ACME):
        await ledger.create("nightly")
    await ledger.close()
    await asyncio.to_thread(migrate.downgrade, ledger.url, "20261130_page_key")
    async with ledger.database.read() as connection:
        found = list(await connection.execute(text("SELECT id, name FROM cron_jobs")))
    assert [(row.id, row.name) for row in found] == [(kept.id, "nightly")]
