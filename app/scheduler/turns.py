"""Who tries a job first, so that many replicas don't do many times the work. That is speed only: the claim decides."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.claim import Candidate
from app.domain.entries import Due, EntryMap
from app.domain.rendezvous import first_for
from app.domain.replica import Peer
from app.scheduler.ports import JobSource


class Turns:
    """Each job has one replica that tries it first; the others step in `grace` seconds later, or halfway to the next.

    A replica that let such a time pass has no turns until it claims again.
    """

    def __init__(self, entries: EntryMap, jobs: JobSource, replica: Callable[[], UUID], grace: float) -> None:
        self._entries = entries
        self._jobs = jobs
        self._replica = replica
        self._grace = timedelta(seconds=grace)
        self._claims: dict[UUID, int] = {}
        self._overslept: dict[UUID, int] = {}
        self._counted: tuple[int, frozenset[UUID]] = 0, frozenset()
        self._preferred = 0
        self.won = 0

    def meet(self, peers: Iterable[Peer]) -> None:
        """These are the replicas that schedule."""
        self._claims = {peer.id: peer.claims for peer in peers}
        self._overslept = {
            replica: claims for replica, claims in self._overslept.items() if self._claims.get(replica) == claims
        }

    def is_ours(self, job: UUID) -> bool:
        return self._first(job) == self._replica()

    async def preferred(self) -> int:
        """How many entries this replica is to try first. Counted when the replicas are others, or the entries more."""
        state = len(self._entries), self._present()
        if state != self._counted:
            jobs = [entry.job.uid for entry in self._entries]
            self._preferred = await to_thread(lambda: sum(self.is_ours(job) for job in jobs))
            self._counted = state
        return self._preferred

    async def take(self, due: Sequence[Due], now: datetime) -> list[Due]:
        """Those of the entries in hand that are to be tried now; the others are given back."""
        others = [each for each in due if not self.is_ours(each.entry.job.uid)]
        for each in others:
            if now < (steps_in := self._steps_in(each)):
                self._entries.defer(each, steps_in)
        left = (each for each in due if each.entry.next is None)
        if contested := [each for each in left if each.deferred or not self.is_ours(each.entry.job.uid)]:
            await self._drop_claimed(contested)
        return [each for each in due if each.entry.next is None]

    def claimed(self, won: Sequence[Candidate]) -> None:
        """These are this replica's; whose turn they were is not to be waited for again."""
        self.won += len(won)
        for candidate in won:
            first = self._first(candidate.job.uid)
            if first != self._replica():
                self._overslept[first] = self._claims[first]

    async def _drop_claimed(self, due: Sequence[Due]) -> None:
        """A look at the rows is cheaper than a claim, and most of them have been claimed by now."""
        waiting = await self._jobs.waiting(each.entry.job.id for each in due)
        for each in due:
            job = each.entry.job
            version, next_run = waiting.get(job.id, (job.version, None))
            if version == job.version and next_run is not None and next_run > each.at:
                self._entries.advance(each.entry, next_run)

    def _steps_in(self, due: Due) -> datetime:
        """Later than halfway to the next occurrence, two of one job would come at once."""
        try:
            following = due.entry.job.recurrence.next_after(due.at)
        except Exception:  # noqa: BLE001  # whatever it is, whoever plans the job meets it too, and sets it aside
            return due.at
        grace = self._grace if following is None else min(self._grace, (following - due.at) / 2)
        return due.at + grace

    def _first(self, job: UUID) -> UUID:
        return first_for(job, self._present())

    def _present(self) -> frozenset[UUID]:
        return frozenset((self._replica(), *(each for each in self._claims if each not in self._overslept)))
