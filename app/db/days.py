"""Windows of whole days, which name the partitions that a statement has to do with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, bindparam

from app.db.tables import job_runs

_DAY = timedelta(days=1)


def in_days(at: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Whether it lies in the window that `days_of` gives the parameters of."""
    return (at >= bindparam("oldest")) & (at < bindparam("newest"))


def days_of(instants: Iterable[datetime]) -> dict[str, Any]:
    """The days of UTC, [oldest, newest), that hold these instants.

    Of a narrower window PostgreSQL's statistics say, until they are renewed, that hardly anything is in it, and it is
    read from end to end where a few keys were to be looked up.
    """
    days = [instant.astimezone(UTC).date() for instant in instants]
    first, last = (datetime.combine(day, time(), UTC) for day in (min(days), max(days)))
    return {"oldest": first, "newest": last + _DAY}


def among_sent(dialect: str) -> ColumnElement[bool]:
    """What is said of runs beside that they equal rows that are sent; `keys_of` gives the parameters.

    On PostgreSQL their ids too. Of a day that has no statistics yet, it believes that hardly anything is in the window,
    and would compare all of it with the rows.
    """
    window = in_days(job_runs.c.ledger_at)
    if dialect != "postgresql":
        return window
    return window & (job_runs.c.id == any_(bindparam("ids", type_=ARRAY(Uuid()))))


def keys_of(dialect: str, runs: Iterable[tuple[UUID, datetime]]) -> dict[str, Any]:
    """`runs` as (id, ledger_at)."""
    sent = list(runs)
    window = days_of(at for _, at in sent)
    return window | {"ids": [run_id for run_id, _ in sent]} if dialect == "postgresql" else window
