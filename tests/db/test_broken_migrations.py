"""A migration that breaks off is done again: whole, or on MariaDB, whose DDL commits by itself, from its step on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from app.db import migrate
from app.db.tables import cron_jobs
from app.service.upgrade import upgrade
from tests.db.building import opened
from tests.db.seed import ROWS, plant

WRITES = ("ALTER", "CREATE", "DROP", "INSERT", "UPDATE", "DELETE")


class BrokenOff(Exception):
    """The process is gone."""


@contextmanager
def breaking_after(writes: int) -> Iterator[None]:
    """Whoever has sent so many statements that change something gets no further."""
    left = writes

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal left
        left -= statement.lstrip().startswith(WRITES)
        if not left:
            raise BrokenOff

    event.listen(Engine, "after_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(Engine, "after_cursor_execute", note)


@pytest.mark.parametrize("rows", [[], ROWS], ids=["new", "adopted"])
async def test_a_migration_that_breaks_off_ever_later_comes_to_its_end(
    empty_database_url: str, rows: list[str]
) -> None:
    if rows:
        await plant(empty_database_url, rows)
    stride = 1 if empty_database_url.startswith("mariadb") else 20  # what begins anew each time is long
    for writes in range(1, 400, stride):
        try:
            with breaking_after(writes):
                await asyncio.to_thread(migrate.upgrade, empty_database_url)
        except BrokenOff:
            continue
        break
    assert writes > 10
    await asyncio.to_thread(upgrade, empty_database_url)
    assert await asyncio.to_thread(migrate.differences, empty_database_url) == []
    async with opened(empty_database_url, None) as ledger:
        found = await ledger.table(cron_jobs)
        assert len({row.uid for row in found}) == len(found) == max(len(rows) - 1, 0)
        assert {row.day_rule for row in found} <= {"and"}
        assert (await ledger.create()).day_rule == "or"
