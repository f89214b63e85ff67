"""Runs that ended badly without an answer count among the failures of their jobs all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Integer, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.rows import columns_of, encode, rows
from app.db.tables import cron_jobs
from app.db.types import AnyRow
from app.domain.run import COUNTED


async def count_failures(connection: AsyncConnection, runs: Iterable[AnyRow], **facts: Any) -> None:
    """`runs` have job_id and trigger; their jobs must be locked. What people started by hand is not counted.

    `facts` are columns of `cron_jobs`, written beside.
    """
    failed = Counter(run.job_id for run in runs if run.trigger in COUNTED)
    if not failed:
        return
    job, dialect = cron_jobs.c, connection.dialect.name
    sent = rows(dialect, columns_of(job.uid, more=Integer()))
    write = update(cron_jobs).where(job.uid == sent.c.uid)
    write = write.values(facts | {"failures_in_a_row": job.failures_in_a_row + sent.c.more})
    values = ({"uid": uid, "more": more} for uid, more in failed.items())
    await connection.execute(write, {"rows": encode(dialect, values)})
