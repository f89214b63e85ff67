"""Jobs that wait for an occurrence, as a forecast needs them: all in one state of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.calendars import SharedCalendars
from app.db.engine import Database
from app.db.readable import readable
from app.db.tables import cron_jobs
from app.db.tenancy import EVERYWHERE, Tenancy
from app.domain.course import remaining
from app.domain.exclude import calendar_names
from app.domain.exclusion import Listed, resolve
from app.domain.forecast import Upcoming
from app.domain.job import JobDefinition
from app.domain.namespace import qualified
from app.domain.recurrence import Recurrence

PAGE = 500

_DEFINED = ("name", "schedule", "timezone", "day_rule", "starts_at", "ends_at", "dst_gap", "dst_overlap", "policies")
_COLUMNS = [cron_jobs.c[name] for name in ("id", "uid", "anchor", "runs_made", "namespace", *_DEFINED)]


class UpcomingSource:
    """Rows that this program can't read are left out."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._calendars = SharedCalendars()

    async def all(self, tenancy: Tenancy = EVERYWHERE) -> list[Upcoming]:
        """A page at a time, lest making so many objects hold up calls that are due."""
        jobs: list[Upcoming] = []
        last: int | None = 0
        async with self._database.read() as connection:
            while last is not None:
                page, last = await self._page(connection, tenancy, last)
                jobs += page
        return jobs

    async def _page(
        self, connection: AsyncConnection, tenancy: Tenancy, after: int
    ) -> tuple[list[Upcoming], int | None]:
        job = cron_jobs.c
        query = select(*_COLUMNS).where(job.enabled, job.next_run.is_not(None), job.id > after)
        query = query.where(tenancy.holds(job.namespace))
        rows = list(await connection.execute(query.order_by(job.id).limit(PAGE)))
        found = [values for values, problem in (readable(row._asdict()) for row in rows) if not problem]
        named = {
            qualified(values["namespace"], name)
            for values in found
            for name in calendar_names(values["policies"].exclude)
        }
        calendars = await self._calendars.read(connection, named)
        return [_upcoming(values, calendars) for values in found], rows[-1].id if len(rows) == PAGE else None


def _upcoming(values: dict[str, Any], calendars: Mapping[str, Listed]) -> Upcoming:
    policies = values["policies"]
    defined = JobDefinition(**{name: values[name] for name in _DEFINED}, endpoint=None)
    return Upcoming(
        uid=values["uid"],
        name=values["name"],
        recurrence=Recurrence.of(defined, values["anchor"]),
        policies=policies,
        exclusions=resolve(policies.exclude, values["timezone"], calendars, values["namespace"]),
        left=remaining(policies, values["runs_made"]),
    )
