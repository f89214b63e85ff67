"""What became of instants: the facts of each, read for the domain to tell of them."""

from __future__ import annotations

from asyncio import to_thread
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from app.db.histories import read_version
from app.db.transaction import Transaction
from app.domain.errors import InvalidInput
from app.domain.exclusion import NOTHING, Exclusions
from app.domain.explanation import Explanation, Facts, Standing, explain, nothing_due
from app.domain.explanation.words import named_runs
from app.domain.gates import job_of
from app.domain.history import History
from app.domain.job import PersistedJob
from app.domain.misfire import DST, EXCLUDED
from app.domain.presence import outages
from app.domain.recurrence import RESOLUTION
from app.domain.restored import RESTORED
from app.domain.run import Run, State
from app.domain.span import Span
from app.service.exclusions import exclusions_of

BESIDE = 50
"""So many versions before and after are looked through for a schedule that was due."""

_ACTIVE_FOR = timedelta(days=1)
"""A run that kept another waiting is looked for among those that are at most so much older."""

_MOST_BESIDE = 1000
"""Runs by hand of one page, and runs that may have kept others waiting."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """One instant, or with `end` all that is due in [start, end)."""

    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The job that is asked about; `job` is None once it is deleted, and `name` is empty then."""

    uid: UUID
    name: str
    job: PersistedJob | None


class Look:
    """One look at a job. Its row is read first: what is claimed meanwhile shows as a run, and not as a hole."""

    def __init__(self, tx: Transaction, subject: Subject, asked: Asked, limit: int, kept: timedelta) -> None:
        self._tx = tx
        self._uid = subject.uid
        self._job = subject.job
        self._name = subject.name
        self._asked = asked
        self._limit = limit
        self._kept = kept

    async def explain(self, after: datetime | None) -> tuple[list[Explanation], bool]:
        start = self._asked.start if after is None else max(self._asked.start, after + RESOLUTION)
        end = start + RESOLUTION if self._asked.end is None else self._asked.end
        if end <= start:
            return [], False
        now = await self._tx.time()
        history = await self._history(start, end)
        due = await to_thread(_due, history, start, end, self._limit + 1)
        runs = await self._tx.history.scheduled(self._uid, start, end - RESOLUTION, self._limit + 1)
        instants = sorted({*due, *(run.scheduled_for for run in runs)})
        nothing = not instants and after is None
        if nothing:
            instants = [start]
        if not instants:
            return [], False
        page = instants[: self._limit]
        facts = await self._facts(page, history, {run.scheduled_for: run for run in runs}, now)
        tell = nothing_due if nothing and self._asked.end is not None else explain
        return await to_thread(lambda: [tell(each) for each in facts]), len(instants) > self._limit

    async def _history(self, start: datetime, end: datetime) -> History:
        stored = await self._tx.versions.around(self._uid, start, end, BESIDE)
        return History([read_version(each, self._name) for each in stored])

    async def _facts(
        self, instants: Sequence[datetime], history: History, runs: dict[datetime, Run], now: datetime
    ) -> list[Facts]:
        first, last = instants[0], instants[-1]
        standing = await self._standing(history, first, last, now)
        by_hand = await self._tx.history.by_hand(self._uid, first, last, _MOST_BESIDE)
        spans = await self._tx.history.spans(self._uid, first, last)
        ahead = await self._ahead(first, [run for run in runs.values() if first <= run.scheduled_for <= last], now)
        named = await self._named(runs.values())
        exclusions = await self._exclusions(last, now)
        made = await self._made(history, last)
        return [
            Facts(
                at=at,
                job_id=self._uid,
                standing=standing,
                version=(version := history.in_force(at)),
                run=(run := runs.get(at)),
                span=next((span for span in spans if _holds(span, at)), None),
                by_hand=tuple(each for each in by_hand if each.scheduled_for == at),
                ahead=None if run is None else _blocker(run, ahead, now),
                named=named,
                excluded=_excluded(exclusions, at),
                exhausted=(
                    version is not None
                    and (most := version.job.policies.max_runs) is not None
                    and made - sum(_counts(each) for each in runs.values() if at < each.scheduled_for <= last) >= most
                ),
            )
            for at in instants
        ]

    async def _standing(self, history: History, first: datetime, last: datetime, now: datetime) -> Standing:
        job, stopped = self._job, list[Span]()
        gone = (await self._tx.retention.pruned([self._uid])).get(self._uid)
        thinned = await self._tx.retention.thinned(self._uid)
        if last > now:
            stopped = [span for span in await self._tx.history.spans(self._uid, now, now) if span.until is None]
        return Standing(
            now=now,
            kept_since=now - self._kept,
            pruned_until=gone,
            keep_runs=None if job is None or thinned != gone else job.policies.keep_runs,
            history=history,
            next_run=None if job is None else job.next_run,
            completed=job is not None and job.completed,
            runs_made=0 if job is None else job.runs_made,
            paused_until=None if job is None else job.paused_until,
            problem=None if job is None else job.problem,
            stopped=stopped[-1] if stopped else None,
            outages=tuple(outages(await self._tx.history.presences(min(first, now), now))),
        )

    async def _ahead(self, first: datetime, runs: Sequence[Run], now: datetime) -> list[Run]:
        """Runs of the job that may have kept one of these waiting, by when they ended, those that go on last."""
        held_up = [run for run in runs if _waited_for_its_job(run)]
        if not held_up:
            return []
        until = max(run.started_at or now for run in held_up)
        found = await self._tx.history.active(self._uid, first - _ACTIVE_FOR, first, until, _MOST_BESIDE)
        return sorted(found, key=lambda run: run.finished_at or now)

    async def _named(self, runs: Iterable[Run]) -> dict[UUID, Run]:
        """The runs that these name as the reason of their fate."""
        reasons = [reason for run in runs for reason in (run.reason, run.cancel_reason)]
        ids = {run_id for reason in reasons for run_id in named_runs(reason)}
        return {run.id: run for run in await self._tx.history.among(ids)}

    async def _exclusions(self, last: datetime, now: datetime) -> Exclusions:
        """Of what is to come: what was excluded has a row that says so."""
        if self._job is None or last <= now:
            return NOTHING
        return (await exclusions_of(self._tx, [self._job]))[self._job.id]

    async def _made(self, history: History, last: datetime) -> int:
        """How many of the runs that count against `max_runs` were made up to `last`."""
        if all(version.job.policies.max_runs is None for version in history.versions):
            return 0
        total = await self._tx.history.made_after(self._uid, _EPOCH) if self._job is None else self._job.runs_made
        return total - await self._tx.history.made_after(self._uid, last)


def _due(history: History, start: datetime, end: datetime, limit: int) -> list[datetime]:
    return list(islice(history.due(start, end), limit))


def _holds(span: Span, at: datetime) -> bool:
    return span.after < at and (span.until is None or at <= span.until)


def _counts(run: Run) -> bool:
    """Against `max_runs`, see `HistoryRepository.made_after`."""
    left_out = run.state is State.SKIPPED and (run.reason or "").startswith((EXCLUDED, DST))
    return (run.state is not State.MISSED or run.reason == RESTORED) and not left_out


def _waited_for_its_job(run: Run) -> bool:
    return any(gate and job_of(gate) for gate in (run.delayed_by, run.waiting_for))


def _blocker(run: Run, ahead: Sequence[Run], now: datetime) -> Run | None:
    """The last to end of those that were active while the run was due and had not begun."""
    if not _waited_for_its_job(run):
        return None
    last = bisect_right(ahead, run.started_at or now, key=lambda each: each.finished_at or now)
    nearest = [each for each in ahead[max(last - 2, 0) : last] if each.id != run.id]  # it may be among them itself
    return nearest[-1] if nearest and (nearest[-1].finished_at or now) >= run.scheduled_for else None


def _excluded(exclusions: Exclusions, at: datetime) -> str | None:
    """None too where a calendar that is gone would have to say."""
    try:
        return exclusions.covers(at)
    except InvalidInput:
        return None
