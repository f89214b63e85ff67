"""Locks of jobs: by their integer ids, in that order, whatever they are looked for by.

What a replica does by itself never waits for one. Whoever holds it may be a replica that is frozen or cut off, and
those who wait would hold back all that they have locked themselves: what is locked is left out, and tried again later.

MariaDB locks the entry of the index that led to a row before the row itself. Who has the row and deletes it wants the
entry then, and each of two would wait for the other: there the ids are looked for first, which locks nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.tables import cron_jobs

ALL = 1 << 62
"""The order of a subquery holds on MariaDB where it has a limit."""


def locking(
    dialect: str, query: Select[Any], most: int | None = None, *, key_share: bool = False, skip_locked: bool = False
) -> Select[Any]:
    """The query, of at most so many rows of `cron_jobs`, that locks them.

    What it is joined with only says which rows are meant: that must not change while a lock is waited for.
    """
    ordered = query.order_by(cron_jobs.c.id)
    if dialect != "mariadb":
        return ordered.limit(most).with_for_update(key_share=key_share, skip_locked=skip_locked, of=cron_jobs)
    chosen = ordered.with_only_columns(cron_jobs.c.id).limit(most or ALL).subquery("chosen")
    found = select(*query.selected_columns).join_from(chosen, cron_jobs, cron_jobs.c.id == chosen.c.id)
    if query.whereclause is not None:
        found = found.where(query.whereclause)
    return found.prefix_with("STRAIGHT_JOIN").order_by(cron_jobs.c.id).with_for_update(skip_locked=skip_locked)


async def held_elsewhere(connection: AsyncConnection, asked: Collection[UUID], locked: Collection[UUID]) -> set[UUID]:
    """Of the jobs asked for, those that were not locked although they exist. The others are gone."""
    rest = set(asked).difference(locked)
    if not rest:
        return rest
    return set(await connection.scalars(select(cron_jobs.c.uid).where(cron_jobs.c.uid.in_(rest))))
