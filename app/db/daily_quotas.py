"""The quotas of runs of the namespaces whose jobs are claimed; nothing is asked where none has one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sqlalchemy import Label, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.namespace_tables import namespaces
from app.db.namespaces import NamespaceRepository, day_of
from app.db.tables import cron_jobs
from app.db.types import AnyRow
from app.domain.claim import Claims
from app.domain.namespace import Allowance

_space = namespaces.c


def has_daily_quota() -> Label[bool]:
    """Of the namespace of a row of `cron_jobs`."""
    theirs = select(_space.runs_per_day.is_not(None)).where(_space.name == cron_jobs.c.namespace)
    return theirs.scalar_subquery().label("has_daily_quota")


@asynccontextmanager
async def daily_quotas(
    connection: AsyncConnection, claims: Claims, locked: Mapping[int, AnyRow]
) -> AsyncIterator[dict[str, Allowance]]:
    """What each namespace may still make, for whoever takes of it meanwhile. The jobs that were won must be locked.

    Those of a namespace in which somebody else counts are busy, and not waited for: nor do those of others wait.
    """
    jobs = [locked[each.job.id] for each in claims.won]
    names = {job.namespace for job in jobs if job.has_daily_quota}
    if not names:
        yield {}
        return
    repository, today = NamespaceRepository(connection), day_of(max(job.now for job in jobs))
    allowances = await repository.allowances(names, today, wait=False)
    counted_elsewhere = {job.id for job in jobs if job.has_daily_quota and job.namespace not in allowances}
    claims.busy += [each for each in claims.won if each.job.id in counted_elsewhere]
    claims.won = [each for each in claims.won if each.job.id not in counted_elsewhere]
    yield allowances
    await repository.spend(allowances)
