"""From entries that are due to runs in the ledger: plan, claim, and believe what the ledger says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from uuid import UUID

import structlog

from app.domain.claim import Candidate, Claims, Held
from app.domain.entries import Due, Entry, EntryMap, JobRow
from app.domain.errors import CronledgerError
from app.scheduler.commits import Commits
from app.scheduler.dispatcher import Dispatcher
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.observer import Observer
from app.scheduler.ports import ClaimStore, JobSource
from app.scheduler.runner import Runner
from app.scheduler.slots import CallSlots

_Key = tuple[int, int]

BUSY_PAUSE = timedelta(seconds=0.05)
LONGEST_BUSY_PAUSE = timedelta(seconds=1)
"""After which a job is tried again that somebody else has locked: half as long again as it is late already."""

_log = structlog.get_logger()


class Claimer:
    """Shared by the loop for what is on time and the one for what is late."""

    def __init__(
        self,
        entries: EntryMap,
        jobs: JobSource,
        store: ClaimStore,
        replica: Callable[[], UUID],
        slots: CallSlots,
        runner: Runner,
        dispatcher: Dispatcher,
        commits: Commits,
        observer: Observer,
        time: LedgerClock,
        reread: Callable[[Iterable[int]], None],
        done: Callable[[], set[Held]] = set,
    ) -> None:
        self._entries = entries
        self._jobs = jobs
        self._store = store
        self._replica = replica
        self._slots = slots
        self._runner = runner
        self._dispatcher = dispatcher
        self._commits = commits
        self._observer = observer
        self._time = time
        self._reread = reread
        self._done = done

    async def claim(self, due: Sequence[Due], candidates: Sequence[Candidate]) -> Claims:
        """`due` are the entries in hand, `candidates` what was planned for them; each entry is given back."""
        replica = self._replica()
        try:
            with self._commits.under_way():
                claims = await self._store.claim(replica, candidates, self._slots, self._done())
        except BaseException:
            self.give_back(due)
            raise
        self._follow(claims, {_key(each.entry.job): each.entry for each in due})
        self._runner.launch(replica, claims.started)
        self._dispatcher.enqueue(claims.queued)
        self._observer.claimed(claims)
        return claims

    def give_back(self, due: Iterable[Due]) -> None:
        for each in due:
            self._entries.advance(each.entry, each.at)

    async def set_aside(self, poisoned: Due, error: Exception) -> None:
        """A job that can't be planned must not stop the others."""
        job = poisoned.entry.job
        problem = str(error) if isinstance(error, CronledgerError) else f"{type(error).__name__}: {error}"
        if await self._jobs.set_aside(job.id, job.version, problem):
            _log.error("job set aside", job=job.name, problem=problem)
            self._entries.advance(poisoned.entry, None)
        else:
            self._try_again(poisoned)

    def _follow(self, claims: Claims, entries: dict[_Key, Entry]) -> None:
        for candidate in claims.won:
            self._entries.advance(entries[_key(candidate.job)], candidate.plan.next, claimed=candidate.plan.latest)
        for candidate, waits_for in claims.moved:
            self._entries.advance(entries[_key(candidate.job)], waits_for)
        for candidate in claims.early:
            self._entries.advance(entries[_key(candidate.job)], candidate.plan.first)
        for candidate in claims.busy:
            self._try_again(Due(candidate.plan.first, entries[_key(candidate.job)]))
        for candidate in claims.stale:
            self._entries.advance(entries[_key(candidate.job)], None)
        if claims.stale:
            self._reread(candidate.job.id for candidate in claims.stale)

    def _try_again(self, busy: Due) -> None:
        now = self._time.now()
        self._entries.defer(busy, now + min(max(BUSY_PAUSE, (now - busy.at) / 2), LONGEST_BUSY_PAUSE))


def _key(job: JobRow) -> _Key:
    """An entry that was swapped while it was late may be in hand beside its successor."""
    return job.id, job.version
