"""Notices in the ledger: each is a run of its own, made by the transaction that decided what it tells."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.insert_runs import new_values
from app.db.runs import RunRepository
from app.db.tables import cron_jobs
from app.db.types import AnyRow
from app.domain.entries import JobRow
from app.domain.host import host_and_port
from app.domain.identity import created_id
from app.domain.job import PersistedJob
from app.domain.notice import News, Notify
from app.domain.run import State, Trigger

_ADAPTER = TypeAdapter(tuple[Notify, ...])

NOTICE_COLUMNS = (
    cron_jobs.c.uid,
    cron_jobs.c.name,
    cron_jobs.c.version,
    cron_jobs.c.policies["notify"].label("notify"),
)
"""What `tell` needs of a job's row, and the database's `now`."""


async def tell(connection: AsyncConnection, news: Iterable[tuple[AnyRow, News]]) -> None:
    """The jobs must be locked; nothing is asked of the database where none of them tells."""
    told = ((job, each, _known(job.notify)) for job, each in news if job.notify)
    if values := [notice for job, each, rules in told for notice in notices(job, rules, each, job.now)]:
        await RunRepository(connection).add(values)


def notices(
    job: AnyRow | JobRow | PersistedJob, rules: Iterable[Notify], news: News, at: datetime
) -> list[dict[str, Any]]:
    """The rows that tell the news, due at once."""
    return [_notice(job, rule, news, index, at) for index, rule in enumerate(rules) if news.event in rule.on]


def _notice(job: AnyRow | JobRow | PersistedJob, rule: Notify, news: News, index: int, at: datetime) -> dict[str, Any]:
    """Its id is computed from what it tells, so that it is there once."""
    uid: UUID = job.uid
    nonce = f"{news.run_id or uid} {news.event} {index}".encode()
    values = new_values(created_id(at, nonce), at, uid, job.name, job.version)
    call = {"endpoint": rule.endpoint, "headers": dict(rule.headers), "body": news.body(uid, job.name)}
    state = {"trigger": Trigger.NOTIFY, "state": State.PENDING, "reason": None}
    return values | state | {"host": host_and_port(rule.endpoint), "call": call}


def _known(stored: Any) -> tuple[Notify, ...]:
    """None where this program can't read them: the job is set aside for it."""
    try:
        return _ADAPTER.validate_python(stored)
    except ValueError:
        return ()
