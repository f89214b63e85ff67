"""A table that the seed's DDL made is adopted: its rows are kept, and whatever can be scheduled is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import inspect, text

from app.db import migrate
from app.db.tables import cron_jobs
from app.domain.errors import InvalidInput
from app.domain.job import DayRule
from app.service.upgrade import upgrade
from tests.conftest import sqlite_url_of
from tests.db.building import Ledger, opened
from tests.db.seed import LONG_NAME, ROWS, plant


@pytest.fixture
async def adopted(empty_database_url: str) -> AsyncIterator[Ledger]:
    await plant(empty_database_url, ROWS)
    await asyncio.to_thread(upgrade, empty_database_url)
    async with opened(empty_database_url, None) as ledger:
        yield ledger


async def _rows(ledger: Ledger) -> dict[str, Any]:
    return {row.name: row for row in await ledger.table(cron_jobs)}


async def test_rows_and_ids_are_kept(adopted: Ledger) -> None:
    rows = await _rows(adopted)
    assert {name: row.id for name, row in rows.items()} == {
        "daily-report": 3,
        "a/b": 4,
        "ä ö": 7,
        LONG_NAME: 8,
        "broken": 9,
        "nowhere": 10,
        "never": 11,
        "tokyo": 12,
        "days": 13,
    }
    assert len({row.uid for row in rows.values()}) == len(rows)
    assert {row.uid.version for row in rows.values()} == {7}
    assert {row.day_rule for row in rows.values()} == {"and"}
    daily = rows["daily-report"]
    assert (daily.last_run, daily.last_success) == (datetime(2026, 1, 2, 9, tzinfo=UTC), None)
    assert daily.last_error == "boom"
    assert [(name, row.enabled) for name, row in rows.items() if not row.enabled] == [(LONG_NAME, False)]


async def test_the_tables_are_what_they_would_be_if_they_were_new(adopted: Ledger) -> None:
    assert await asyncio.to_thread(migrate.differences, adopted.url) == []
    async with adopted.database.read() as connection:
        indexes = await connection.run_sync(lambda sync: inspect(sync).get_indexes("cron_jobs"))
    names = {index["name"] for index in indexes}
    assert {"idx_cron_jobs_enabled", "idx_cron_jobs_last_run", "idx_cron_jobs_updated_at"} <= names


async def test_columns_are_wider(adopted: Ledger) -> None:
    job = await adopted.create("wide", "0 9 * * " + ",".join(["1"] * 500), endpoint=f"http://one.example/{'e' * 2000}")
    assert await adopted.jobs.get("wide") == job


async def test_what_can_be_scheduled_is(adopted: Ledger) -> None:
    rows, now = await _rows(adopted), await adopted.rows.time()
    for name in ("daily-report", "a/b", "ä ö", "tokyo", "days"):
        row = rows[name]
        assert row.next_run > now, name
        assert (row.problem, row.host) == (None, "one.example:80"), name
        assert (await adopted.versions_of(row))[-1].version == row.version
    [waiting] = await adopted.rows.enabled_among([rows["a/b"].id])
    assert waiting.recurrence.next_after(now) == waiting.next_run


async def test_both_days_must_match_as_go_cron_has_it(adopted: Ledger) -> None:
    days = (await _rows(adopted))["days"]
    assert (days.next_run.day, days.next_run.isoweekday(), days.next_run.hour) == (13, 5, 9)
    assert (await adopted.jobs.get("days")).day_rule is DayRule.AND


async def test_a_zone_that_stood_before_the_schedule_is_the_jobs_zone(adopted: Ledger) -> None:
    tokyo = (await _rows(adopted))["tokyo"]
    assert (tokyo.timezone, tokyo.next_run.hour, tokyo.endpoint) == ("Asia/Tokyo", 0, "http://one.example/")


@pytest.mark.parametrize(("name", "why"), [("broken", "fields"), ("nowhere", "endpoint"), ("never", "no occurrence")])
async def test_what_cannot_be_scheduled_is_kept_and_says_why(adopted: Ledger, name: str, why: str) -> None:
    job = await adopted.jobs.get(name)
    assert (job.next_run, job.enabled) == (None, True)
    assert why in (job.problem or "")
    [span] = await adopted.spans_of(job)
    assert (span.until, span.reason) == (None, "unschedulable")
    mended = await adopted.patch(name, schedule="@hourly", endpoint="http://one.example/")
    assert (mended.problem, mended.next_run is not None) == (None, True)
    await adopted.jobs.delete(name)


@pytest.mark.parametrize("name", ["broken", "nowhere", "never"])
async def test_what_cannot_be_scheduled_can_be_paused_and_not_resumed(adopted: Ledger, name: str) -> None:
    before = await adopted.jobs.get(name)
    paused = await adopted.jobs.set_enabled(name, enabled=False)
    assert (paused.enabled, paused.problem) == (False, before.problem)
    assert [span.reason for span in await adopted.spans_of(paused) if span.until is None] == ["paused"]
    with pytest.raises(InvalidInput):
        await adopted.jobs.set_enabled(name, enabled=True)


async def test_a_disabled_row_stands_in_a_span(adopted: Ledger) -> None:
    job = await adopted.jobs.get(LONG_NAME)
    assert [(span.reason, span.until) for span in await adopted.spans_of(job)] == [("paused", None)]
    assert (await adopted.jobs.set_enabled(LONG_NAME, enabled=True)).next_run is not None


@pytest.mark.parametrize("name", ["a/b", "ä ö", LONG_NAME])
async def test_an_odd_name_can_be_changed_triggered_and_deleted(adopted: Ledger, name: str) -> None:
    job = await adopted.patch(name, description="still here")
    run = await adopted.runs.trigger(name)
    assert (run.job_name, run.job_id) == (name, job.uid)
    await adopted.jobs.delete(name)


async def test_new_ids_go_on_where_the_seeds_end(adopted: Ledger) -> None:
    assert (await adopted.create()).id > 13


async def test_a_second_time_does_no_harm(adopted: Ledger) -> None:
    before = [tuple(row) for row in await adopted.table(cron_jobs)]
    assert await asyncio.to_thread(upgrade, adopted.url) == 0
    assert [tuple(row) for row in await adopted.table(cron_jobs)] == before


async def test_back_and_forth_keeps_the_rows(adopted: Ledger) -> None:
    before = {name: (row.id, row.schedule, row.enabled) for name, row in (await _rows(adopted)).items()}
    await adopted.close()
    await asyncio.to_thread(migrate.downgrade, adopted.url, "base")
    await asyncio.to_thread(upgrade, adopted.url)
    assert {name: (row.id, row.schedule, row.enabled) for name, row in (await _rows(adopted)).items()} == before
    assert await asyncio.to_thread(migrate.differences, adopted.url) == []


TIMES = {
    "2026-01-02T09:00:00Z": datetime(2026, 1, 2, 9, tzinfo=UTC),
    "2026-01-02T09:00:00.123456789+02:00": datetime(2026, 1, 2, 7, 0, 0, 123456, tzinfo=UTC),
    "2026-01-02 09:00:00.5-07:00": datetime(2026, 1, 2, 16, 0, 0, 500000, tzinfo=UTC),
    "2026-01-02 09:00:00.123456789-07:00": datetime(2026, 1, 2, 16, 0, 0, 123456, tzinfo=UTC),
    "2026-01-02 09:00:00": datetime(2026, 1, 2, 9, tzinfo=UTC),
    "2026-01-02": datetime(2026, 1, 2, tzinfo=UTC),
    "2026-01-02 09:00:00.123456789 +0200 CEST m=+0.012345678": datetime(2026, 1, 2, 7, 0, 0, 123456, tzinfo=UTC),
    "2026-01-02 09:00:00 +0000 UTC": datetime(2026, 1, 2, 9, tzinfo=UTC),
    "0001-01-01T00:00:00Z": None,
    "0001-01-01 00:00:00+05:30": None,
    "0001-01-01 00:00:00 +0000 UTC": None,
    "yesterday": None,
    "": None,
}


async def test_times_are_read_in_whatever_form_a_go_driver_wrote_them(sqlite_empty: str) -> None:
    await plant(
        sqlite_empty, [f"(NULL, '{at}', '@daily', 'http://one.example/', '{at}', '{at}', NULL, 1)" for at in TIMES]
    )
    await asyncio.to_thread(upgrade, sqlite_empty)
    async with opened(sqlite_empty, None) as ledger:
        rows = await _rows(ledger)
    assert {name: row.last_run for name, row in rows.items()} == TIMES
    assert {name: row.last_success for name, row in rows.items()} == TIMES


async def test_a_row_without_times_or_state_is_adopted(empty_database_url: str) -> None:
    await plant(empty_database_url, ["(1, 'bare', '@hourly', 'http://one.example/', NULL, NULL, NULL, NULL)"])
    async with opened(empty_database_url, None) as ledger:
        await ledger.execute("UPDATE cron_jobs SET created_at = NULL, updated_at = NULL, enabled = NULL")
        await asyncio.to_thread(upgrade, empty_database_url)
        bare = (await _rows(ledger))["bare"]
        assert (bare.enabled, bare.next_run is not None) == (True, True)
        assert abs((await ledger.rows.time() - bare.created_at).total_seconds()) < 60


async def test_the_zero_time_of_go_is_never(empty_database_url: str) -> None:
    zero = "'0001-01-01 00:00:00+00:00'"
    await plant(empty_database_url, [f"(1, 'zero', '@every 1h', 'http://one.example/', {zero}, {zero}, '', true)"])
    async with opened(empty_database_url, None) as ledger:
        await ledger.execute("UPDATE cron_jobs SET created_at = last_run, updated_at = last_run")
        await asyncio.to_thread(upgrade, empty_database_url)
        row = (await _rows(ledger))["zero"]
        assert (row.last_run, row.last_success, row.last_error) == (None, None, None)
        assert row.created_at.year > 2000
        assert row.next_run is not None


@pytest.fixture
def sqlite_empty(tmp_path: Any) -> str:
    return sqlite_url_of(tmp_path / "seed.db")


async def test_columns_that_somebody_added_stay(empty_database_url: str) -> None:
    await plant(empty_database_url, ROWS[:1])
    async with opened(empty_database_url, None) as ledger:
        await ledger.execute("ALTER TABLE cron_jobs ADD COLUMN team VARCHAR(20)")
        await ledger.execute("ALTER TABLE cron_jobs ADD COLUMN weight INTEGER")
        await ledger.execute("UPDATE cron_jobs SET team = 'ours', weight = 7")
        await asyncio.to_thread(upgrade, empty_database_url)
        async with ledger.database.read() as connection:
            assert (await connection.execute(text("SELECT team, weight FROM cron_jobs"))).one() == ("ours", 7)
