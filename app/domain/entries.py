"""What a replica remembers of the jobs: when to wake, and what to try. The database decides whether it may run."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, NewType
from uuid import UUID

from app.domain.exclusion import NOTHING, Exclusions
from app.domain.namespace import DEFAULT, entry_key
from app.domain.policies import Policies
from app.domain.recurrence import Recurrence

EntryID = NewType("EntryID", int)
"""Counts from 1 and is never reused; 0 is no entry."""

_DEFAULT = Policies()

_SLACK = 1000
"""So many wake-ups that no longer count may stay in the heap beside those that do."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """What the map needs of an enabled row of `cron_jobs`."""

    id: int
    uid: UUID
    name: str
    version: int
    next_run: datetime
    recurrence: Recurrence
    policies: Policies = _DEFAULT
    exclusions: Exclusions = NOTHING
    namespace: str = DEFAULT

    @property
    def key(self) -> str:
        """Its name, unique over all namespaces."""
        return entry_key(self.namespace, self.name)


@dataclass(slots=True)
class Entry:
    """One job as this replica remembers it: `prev` is the last occurrence that it saw claimed.

    It wakes for `next` at `wakes_at`, which is later where another replica tries first.
    """

    entry_id: EntryID
    job: JobRow
    next: datetime | None
    prev: datetime | None = None
    wakes_at: datetime | None = None


class Due(NamedTuple):
    """An entry that was taken, and the occurrence for which it was; `deferred`: it might have been tried before."""

    at: datetime
    entry: Entry
    deferred: bool = False


class EntryMap:
    """Key to EntryID, EntryID to Entry, and a heap of next fire times; owned by one event loop, never by threads.

    An entry whose `next` is None is in hand: taken as due, and not yet given back by `advance`.
    """

    def __init__(self) -> None:
        self._ids: dict[str, EntryID] = {}
        self._entries: dict[EntryID, Entry] = {}
        self._by_job: dict[int, EntryID] = {}
        self._heap: list[tuple[datetime, EntryID]] = []
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def id_of(self, key: str) -> EntryID | None:
        return self._ids.get(key)

    def get(self, entry_id: EntryID) -> Entry | None:
        return self._entries.get(entry_id)

    def after(self, entry_id: EntryID, limit: int, namespace: str | None = None) -> list[Entry]:
        """A page of entries in the order of their ids, of one namespace or of all."""
        found = (each for each in self if each.entry_id > entry_id and namespace in (None, each.job.namespace))
        return heapq.nsmallest(limit, found, key=lambda entry: entry.entry_id)

    def versions(self) -> dict[int, int]:
        """The version of each job that is remembered, by the job's integer id."""
        return {entry.job.id: entry.job.version for entry in self}

    def put(self, job: JobRow) -> EntryID:
        """Register the job. An entry of an older version is swapped for a new one, of the same only moves forward."""
        known = self._entries.get(self._by_job.get(job.id, EntryID(0)))
        if known is not None and known.job.version > job.version:
            return known.entry_id
        if known is not None and known.job.version == job.version:
            if known.next is not None and known.next < job.next_run:
                self._schedule(known, job.next_run)
            return known.entry_id
        prev = None if known is None else known.prev
        self.remove(job.id)
        return self._register(job, prev)

    def remove(self, job_id: int) -> bool:
        """Forget the job; say whether it was known."""
        entry_id = self._by_job.pop(job_id, None)
        if entry_id is None:
            return False
        entry = self._entries.pop(entry_id)
        if self._ids.get(entry.job.key) == entry_id:
            del self._ids[entry.job.key]
        return True

    def reconcile(self, asked: Iterable[int], found: Iterable[JobRow]) -> None:
        """Make the map agree with the rows that were read for the ids that were asked for."""
        rows = {job.id: job for job in found}
        for job_id in asked:
            if job_id not in rows:
                self.remove(job_id)
        for job in rows.values():
            self.put(job)

    def due(self, now: datetime, limit: int) -> list[Due]:
        """Take up to `limit` entries that are due, earliest first; each is in hand until `advance` gives it back."""
        taken: list[Due] = []
        while len(taken) < limit and (head := self._head()) is not None and head[0] <= now:
            heapq.heappop(self._heap)
            entry = self._entries[head[1]]
            at = entry.next or head[0]
            taken.append(Due(at, entry, deferred=head[0] > at))
            entry.next = entry.wakes_at = None
        return taken

    def defer(self, due: Due, until: datetime) -> None:
        """Give a taken entry back for a while, its occurrence not tried. A no-op where `advance` is one."""
        if self._entries.get(due.entry.entry_id) is not due.entry:
            return
        due.entry.next = due.at
        self._push(due.entry, until)

    def advance(self, entry: Entry, to: datetime | None, claimed: datetime | None = None) -> None:
        """Give a taken entry back, to wait for `to`, or forget it where nothing is to come.

        A no-op where the entry was swapped or removed meanwhile.
        """
        if self._entries.get(entry.entry_id) is not entry:
            return
        entry.prev = claimed or entry.prev
        if to is None:
            self.remove(entry.job.id)
        else:
            self._schedule(entry, to)

    def next_wakeup(self) -> datetime | None:
        head = self._head()
        return None if head is None else head[0]

    def _register(self, job: JobRow, prev: datetime | None) -> EntryID:
        self._last_id += 1
        entry = Entry(EntryID(self._last_id), job, job.next_run, prev)
        self._ids[job.key] = entry.entry_id
        self._by_job[job.id] = entry.entry_id
        self._entries[entry.entry_id] = entry
        self._schedule(entry, job.next_run)
        return entry.entry_id

    def _schedule(self, entry: Entry, at: datetime) -> None:
        entry.next = at
        self._push(entry, at)

    def _push(self, entry: Entry, wakes_at: datetime) -> None:
        entry.wakes_at = wakes_at
        heapq.heappush(self._heap, (wakes_at, entry.entry_id))
        if len(self._heap) > 2 * len(self._entries) + _SLACK:
            self._heap = [(each.wakes_at, each.entry_id) for each in self if each.wakes_at is not None]
            heapq.heapify(self._heap)

    def _head(self) -> tuple[datetime, EntryID] | None:
        """The earliest wake-up that still counts; those of entries gone or moved are dropped on the way."""
        while self._heap:
            at, entry_id = self._heap[0]
            entry = self._entries.get(entry_id)
            if entry is not None and entry.wakes_at == at:
                return at, entry_id
            heapq.heappop(self._heap)
        return None
