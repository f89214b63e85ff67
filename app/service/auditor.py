"""Counts how often jobs were due, from the versions of their schedules and never from the rows of their runs."""

from __future__ import annotations

from asyncio import Lock, to_thread
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.db.audits import InForce, VersionKey
from app.db.engine import Database
from app.db.histories import read_version
from app.db.transaction import Transaction, reading, transaction
from app.domain.audit import HOUR, count_due, hour_of
from app.domain.history import StoredVersion
from app.domain.recurrence import RESOLUTION, Recurrence

DELAY = timedelta(minutes=1)
"""Changes of jobs that began before are committed, or given up, after so long."""

PAGE = 500

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Known:
    """What a version says, read once. It is not due in [looked_from, looked_until)."""

    recurrence: Recurrence | None
    most: int | None
    looked_from: datetime
    looked_until: datetime | None
    ended: datetime | None = None

    def quiet(self, start: datetime, end: datetime) -> bool:
        if self.recurrence is None:
            return True
        return self.looked_from <= start and (self.looked_until is None or end <= self.looked_until)

    def look_ahead(self, end: datetime) -> None:
        """Nothing is due from `end` until the next occurrence."""
        if self.recurrence is not None:
            self.looked_from, self.looked_until = end, self.recurrence.next_after(end - RESOLUTION)


class Auditor:
    """See `scheduler.ports.Audit`. Each replica has one; whichever comes first counts for all."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[VersionKey, _Known] = {}
        self._turn = Lock()

    async def audit(self) -> bool:
        """Count up to the last whole minute that is over for a minute, an hour at most; say whether there is more."""
        return await self._audit(None)

    async def audit_until(self, until: datetime) -> None:
        """Count up to then, which must be past and settled: no change may be under way."""
        while await self._audit(until):
            pass

    async def _audit(self, until: datetime | None) -> bool:
        async with self._turn:
            now, start = await self._counted()
            end = min(hour_of(start) + HOUR, until or _whole_minute(now - DELAY))
            async with reading(self._database) as tx:
                undecided = await tx.audits.undecided_from(end)
            end = end if undecided is None else min(end, undecided)
            if end <= start:
                return False
            counts = await self._count(start, end)
            async with transaction(self._database) as tx:
                if await tx.audits.advance(start, end):
                    await tx.audits.add(hour_of(start), counts)
            return True

    async def _counted(self) -> tuple[datetime, datetime]:
        """Now, and the instant up to which is counted.

        Where the clock was set back, jobs may change again at instants that were counted as they were before.
        """
        async with reading(self._database) as tx:
            now, counted = await tx.time(), await tx.audits.counted()
        if counted is None or now < counted.until:
            async with transaction(self._database) as tx:
                await tx.audits.begin(hour_of(now))
                await tx.audits.go_back(now)
                counted = await tx.audits.counted()
        assert counted is not None  # noqa: S101  # it has begun
        return now, counted.until

    async def _count(self, start: datetime, end: datetime) -> Counter[UUID]:
        counts: Counter[UUID] = Counter()
        same: dict[Recurrence, int] = {}
        seen: set[VersionKey] = set()
        after: VersionKey | None = None
        while True:
            async with reading(self._database) as tx:
                page = await tx.audits.in_force(start, end, after, PAGE)
                new = await tx.audits.definitions({each.key for each in page} - self._known.keys())
                await to_thread(self._learn, new, start)
                for each in page:
                    await self._find_end(tx, each, start, end)
            counts.update(await to_thread(self._due, page, start, end, same))
            seen |= {each.key for each in page}
            if len(page) < PAGE:
                break
            after = page[-1].key
        self._known = {key: known for key, known in self._known.items() if key in seen}
        return +counts

    def _learn(self, stored: dict[VersionKey, StoredVersion], start: datetime) -> None:
        for key, each in stored.items():
            version = read_version(each, "")
            recurrence = None if version.recurrence is None else version.recurrence.accounted()
            self._known[key] = _Known(recurrence, version.job.policies.max_runs, start, start)

    async def _find_end(self, tx: Transaction, each: InForce, start: datetime, end: datetime) -> None:
        """Of a job that has made all its runs: nothing is due after the last of them."""
        known = self._known[each.key]
        if known.most is None or known.ended is not None or known.quiet(start, end):
            return
        job = await tx.jobs.of_uid(each.job_id)
        over = await _over_of_deleted(tx, each.job_id, known.most) if job is None else job.runs_made - known.most
        if over >= 0:
            last = await tx.history.made_before_last(each.job_id, over)
            known.ended = each.since if last is None else last

    def _due(
        self, page: Sequence[InForce], start: datetime, end: datetime, same: dict[Recurrence, int]
    ) -> Counter[UUID]:
        """`same` are the counts of what was in force all the time, which many jobs may share."""
        counts: Counter[UUID] = Counter()
        for each in page:
            known = self._known[each.key]
            if known.recurrence is None or known.quiet(start, end):
                continue
            until = each.until if known.ended is None else min(known.ended, each.until or known.ended)
            if each.since < start and (until is None or until >= end):
                if known.recurrence not in same:
                    same[known.recurrence] = count_due(known.recurrence, each.since, None, start, end)
                counts[each.job_id] += same[known.recurrence]
            else:
                counts[each.job_id] += count_due(known.recurrence, each.since, until, start, end)
            known.look_ahead(end)
        return counts


async def _over_of_deleted(tx: Transaction, job_id: UUID, most: int) -> int:
    """How many runs more than `most` the job had made, by its rows.

    Where rows are gone nobody can say, and nothing counts as due after the last that is there.
    """
    gone = (await tx.retention.pruned([job_id])).get(job_id)
    if gone is not None and not any(first.effective_from >= gone for first in await tx.versions.page(job_id, 2, 1)):
        return 0
    return await tx.history.made_after(job_id, _EPOCH) - most


def _whole_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
