"""Locks of jobs: by their integer ids, in that order, whatever they are looked for by.

MariaDB locks the entry of the index that led to a row before the row itself. Who has the row and deletes it wants the
entry then, and each of two would wait for the other: there the ids are looked for first, which locks nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from app.db.tables import cron_jobs

ALL = 1 << 62
"""The order of a subquery holds on MariaDB where it has a limit."""


def locking(dialect: str, query: Select[Any], most: int | None = None, *, key_share: bool = False) -> Select[Any]:
    """The query, of at most so many rows of `cron_jobs`, that locks them.

    What it is joined with only says which rows are meant: that must not change while a lock is waited for.
    """
    ordered = query.order_by(cron_jobs.c.id)
    if dialect != "mariadb":
        return ordered.limit(most).with_for_update(key_share=key_share, of=cron_jobs)
    chosen = ordered.with_only_columns(cron_jobs.c.id).limit(most or ALL).subquery("chosen")
    found = select(*query.selected_columns).join_from(chosen, cron_jobs, cron_jobs.c.id == chosen.c.id)
    if query.whereclause is not None:
        found = found.where(query.whereclause)
    return found.prefix_with("STRAIGHT_JOIN").order_by(cron_jobs.c.id).with_for_update()
