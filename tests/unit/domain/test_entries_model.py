"""The entry map against a model of it: a dict that is searched from end to end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, invariant, multiple, rule

from app.domain.entries import Due, EntryMap, JobRow
from app.domain.recurrence import Recurrence

START = datetime(2027, 1, 1, tzinfo=UTC)
EACH_MINUTE = Recurrence("* * * * *")

job_ids = st.integers(1, 5)
versions = st.integers(1, 4)
instants = st.integers(0, 20).map(lambda minutes: START + timedelta(minutes=minutes))


@dataclass
class Remembered:
    """`next` is None while the entry is in hand."""

    entry_id: int
    version: int
    next: datetime | None
    prev: datetime | None


def row(job_id: int, version: int, at: datetime) -> JobRow:
    return JobRow(job_id, UUID(int=job_id), f"job-{job_id}", version, at, EACH_MINUTE)


class EntryMapMachine(RuleBasedStateMachine):
    in_hand: Bundle[Due] = Bundle("in_hand")

    def __init__(self) -> None:
        super().__init__()
        self.entries = EntryMap()
        self.model: dict[int, Remembered] = {}
        self.last_id = 0

    @rule(job_id=job_ids, version=versions, at=instants)
    def put(self, job_id: int, version: int, at: datetime) -> None:
        self._remember(job_id, version, at)
        assert self.entries.put(row(job_id, version, at)) == self.model[job_id].entry_id

    @rule(job_id=job_ids)
    def remove(self, job_id: int) -> None:
        assert self.entries.remove(job_id) == (self.model.pop(job_id, None) is not None)

    @rule(asked=st.sets(job_ids), found=st.dictionaries(job_ids, st.tuples(versions, instants)))
    def reconcile(self, asked: set[int], found: dict[int, tuple[int, datetime]]) -> None:
        for job_id in asked - found.keys():
            self.model.pop(job_id, None)
        for job_id, (version, at) in found.items():
            self._remember(job_id, version, at)
        self.entries.reconcile(asked, [row(job_id, version, at) for job_id, (version, at) in found.items()])

    @rule(target=in_hand, now=instants)
    def take_one(self, now: datetime) -> Due | MultipleResults[Due]:
        expected = self._due(now)[:1]
        taken = self.entries.due(now, 1)
        assert [(due.at, due.entry.entry_id) for due in taken] == expected
        for due in taken:
            self.model[due.entry.job.id].next = None
        return taken[0] if taken else multiple()

    @rule(now=instants)
    def take_some_and_give_them_back(self, now: datetime) -> None:
        taken = self.entries.due(now, 3)
        assert [(due.at, due.entry.entry_id) for due in taken] == self._due(now)[:3]
        for due in reversed(taken):
            self.entries.advance(due.entry, due.at)

    @rule(due=consumes(in_hand), to=st.none() | instants, claimed=st.booleans())
    def advance(self, due: Due, to: datetime | None, *, claimed: bool) -> None:
        self.entries.advance(due.entry, to, claimed=due.at if claimed else None)
        job_id = due.entry.job.id
        known = self.model.get(job_id)
        if known is None or known.entry_id != due.entry.entry_id:
            return
        if to is None:
            del self.model[job_id]
        else:
            known.next = to
            known.prev = due.at if claimed else known.prev

    @invariant()
    def they_remember_the_same(self) -> None:
        remembered = {
            entry.job.id: Remembered(entry.entry_id, entry.job.version, entry.next, entry.prev)
            for entry in self.entries
        }
        assert remembered == self.model
        assert len(self.entries) == len(self.model)
        assert self.entries.versions() == {job_id: known.version for job_id, known in self.model.items()}
        for job_id in range(1, 6):
            known = self.model.get(job_id)
            assert self.entries.id_of(f"job-{job_id}") == (known and known.entry_id)

    @invariant()
    def they_wake_at_the_same_time(self) -> None:
        waiting = [known.next for known in self.model.values() if known.next is not None]
        assert self.entries.next_wakeup() == min(waiting, default=None)

    def _remember(self, job_id: int, version: int, at: datetime) -> None:
        known = self.model.get(job_id)
        if known is None or known.version < version:
            self.last_id += 1
            self.model[job_id] = Remembered(self.last_id, version, at, known.prev if known else None)
        elif known.version == version and known.next is not None:
            known.next = max(known.next, at)

    def _due(self, now: datetime) -> list[tuple[datetime, int]]:
        return sorted((e.next, e.entry_id) for e in self.model.values() if e.next is not None and e.next <= now)


TestEntryMap = EntryMapMachine.TestCase
TestEntryMap.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
