"""Whether every due instant is accounted for exactly once, by the oracle's list of what was due."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from app.db.engine import Database
from app.db.policies import load_policies
from app.db.tables import cron_jobs, job_runs, job_spans, job_versions
from app.domain.run import State
from tests.simulation import oracle
from tests.simulation.mirror import Mirror, Violation


@dataclass
class Accounts:
    """Asks the tables; `begin` and `end` bound all time that matters."""

    database: Database
    mirror: Mirror
    begin: datetime
    end: datetime
    instants: int = 0

    async def check(self, only: Collection[UUID] | None = None) -> None:
        """Of all jobs there ever were, or of some. Raises Violation."""
        settled = 0
        for uid, account in (await self.of_jobs(only)).items():
            for fault in account.faults():
                raise Violation(f"job {uid}: {fault}\n{account}")
            settled += account.settled
        self.instants = settled if only is None else self.instants

    async def of_jobs(self, only: Collection[UUID] | None = None) -> dict[UUID, Account]:
        versions = await self._by_job(job_versions, "version", only)
        spans = await self._by_job(job_spans, "id", only)
        jobs = {row.uid: row for row in await self._rows(_among(cron_jobs, cron_jobs.c.uid, only))}
        return {uid: self._account(uid, known, spans.get(uid, []), jobs.get(uid)) for uid, known in versions.items()}

    async def check_mirror(self) -> None:
        """The journal told everything: the rows are as it says."""
        run = job_runs.c
        stored = {row[0]: tuple(row) for row in await self._rows(select(run.id, run.state, run.fence, run.attempt))}
        known = {each.run_id: (each.run_id, each.state, each.fence, each.attempt) for each in self.mirror.runs.values()}
        if stored != known:
            raise Violation(f"rows that the journal does not know: {set(stored.values()) ^ set(known.values())}")

    async def overdue(self, since: datetime) -> list[str]:
        """The names of the jobs that still wait for an occurrence before then."""
        return [row.name for row in await self._rows(select(cron_jobs.c.name).where(cron_jobs.c.next_run < since))]

    def _account(self, uid: UUID, versions: list[Any], spans: list[Any], job: Any) -> Account:
        made = sorted(self.mirror.made[uid])
        due = {at: version for version in versions for at in self._due(version, made)}
        return Account(due, versions, spans, job, self.mirror, self.mirror.occurrences[uid])

    def _due(self, version: Any, made: list[datetime]) -> list[datetime]:
        """What was due under a version: nothing any more once the job has made all its runs."""
        listed = oracle.due(version.definition, self.begin, self.end)
        until = version.effective_until or self.end
        most = load_policies(version.definition["policies"]).max_runs
        if most is not None and len(made) >= most:
            until = min(until, made[most - 1])
        return listed[bisect_right(listed, version.effective_from) : bisect_right(listed, until)]

    async def _by_job(self, table: Any, order: str, only: Collection[UUID] | None) -> Mapping[UUID, list[Any]]:
        found: dict[UUID, list[Any]] = defaultdict(list)
        for row in await self._rows(_among(table, table.c.job_id, only).order_by(table.c[order])):
            found[row.job_id].append(row)
        return found

    async def _rows(self, query: Select[Any]) -> list[Any]:
        async with self.database.read() as connection:
            return list(await connection.execute(query))


@dataclass
class Account:
    """One job's: `due` has each instant with its version, `job` is its row, None once it is deleted."""

    due: dict[datetime, Any]
    versions: list[Any]
    spans: list[Any]
    job: Any
    mirror: Mirror
    occurrences: Mapping[datetime, UUID]

    @property
    def settled(self) -> int:
        return len(self.occurrences) + sum(span.count or 0 for span in self.spans)

    def faults(self) -> Iterator[str]:
        listed = sorted(self.due)
        covered = dict.fromkeys(listed, 0)
        for at in self.occurrences:
            if at not in covered:
                yield f"a row for {at}, which was not due"
                return
            covered[at] += 1
        for span in self.spans:
            within = listed[bisect_right(listed, span._mapping["from"]) : _until(listed, span)]
            if span.until is not None and span.count != len(within):
                yield f"span {span.id} counts {span.count}, and {len(within)} were due"
            for at in within:
                covered[at] += 1
        settled_to = None if self.job is None else self.job.next_run
        for at, times in covered.items():
            wanted = 0 if settled_to is not None and at >= settled_to else 1
            if times != wanted:
                yield f"{at} is accounted for {times} times, and should be {wanted} times"
        if settled_to is not None and settled_to not in self.due:
            yield f"it waits for {settled_to}, at which it is not due"
        yield from self._skipped()
        yield from self._counted()

    def _skipped(self) -> Iterator[str]:
        """What the clock jumped over, and what is excluded, has a row that says so."""
        for at, run_id in self.occurrences.items():
            run, definition = self.mirror.runs[run_id], self.due[at].definition
            excluded = "excluded" if oracle.is_excluded(definition, at) else None
            wanted = "dst" if oracle.is_skipped(definition, at) else excluded
            told = run.reason.partition(":")[0] if run.state == State.SKIPPED else None
            if wanted != (None if told == "overlap" else told):
                yield f"{at} should be skipped for {wanted}, and is {run.state} {run.reason}"

    def _counted(self) -> Iterator[str]:
        made = len(self.mirror.made[self.versions[0].job_id])
        if self.job is not None and self.job.runs_made != made:
            yield f"it has made {made} runs, and counts {self.job.runs_made}"

    def __str__(self) -> str:
        lines = [f"  job {dict(self.job._mapping) if self.job else 'deleted'}"]
        lines += [f"  version {each.version} from {each.effective_from} {each.definition}" for each in self.versions]
        lines += [f"  span {dict(span._mapping)}" for span in self.spans]
        lines += [f"  runs {', '.join(map(str, sorted(self.occurrences)[-20:]))}"]
        lines += [f"  due  {', '.join(map(str, _last(self.due, self.job)))}"]
        return "\n".join(lines)


def overlapping(spans: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    for one, other in pairwise(spans):
        if one.until is None or other._mapping["from"] < one.until:
            yield one, other


def _last(due: Iterable[datetime], job: Any) -> list[datetime]:
    listed = sorted(due)
    upto = len(listed) if job is None or job.next_run is None else bisect_left(listed, job.next_run) + 3
    return listed[max(upto - 23, 0) : upto]


def _until(listed: list[datetime], span: Any) -> int:
    return len(listed) if span.until is None else bisect_right(listed, span.until)


def _among(table: Any, column: Any, only: Collection[UUID] | None) -> Select[Any]:
    return select(table) if only is None else select(table).where(column.in_(only))
