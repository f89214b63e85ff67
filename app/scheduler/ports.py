"""What the scheduler asks of the outside; `main` hands it the real things, tests may hand it others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from app.domain.claim import Candidate, Claims, Finished, Queued, Slots, Started
from app.domain.entries import JobRow
from app.domain.run import Call, Outcome


class JobSource(Protocol):
    """The rows that the entry map is a cache of. Every method raises StoreUnavailable where the database is away."""

    async def time(self) -> datetime:
        """The database's clock."""
        ...

    async def enabled_page(self, after_id: int, limit: int) -> list[JobRow]:
        """Jobs that wait for an occurrence, by id."""
        ...

    async def enabled_among(self, ids: Collection[int]) -> list[JobRow]:
        """Those of the jobs that wait for an occurrence."""
        ...

    async def changed_since(self, since: datetime) -> list[int]:
        """Ids of the jobs, enabled or not, that were written at or after the instant."""
        ...

    async def versions_page(self, after_id: int, limit: int) -> list[tuple[int, int]]:
        """(id, version) of the jobs that wait for an occurrence, by id."""
        ...

    async def set_aside(self, job_id: int, version: int, problem: str) -> None:
        """Stop scheduling a job that can't be planned, and say why in its row."""
        ...


class ClaimStore(Protocol):
    """The claim, one transaction."""

    async def claim(self, replica: UUID, candidates: Sequence[Candidate], slots: Slots) -> Claims:
        """What a transaction that failed had admitted is released."""
        ...


class StartStore(Protocol):
    """Pending runs, and starting them."""

    async def start(self, replica: UUID, queued: Sequence[Queued]) -> list[Started]:
        """Those of the runs that are this replica's now; the others are no longer pending, or call another host."""
        ...

    async def pending(self, limit: int, full_hosts: Collection[str], overdue: timedelta) -> list[Queued]:
        """Pending runs that have been due for so long, those of full hosts left out, earliest first."""
        ...


class RecordStore(Protocol):
    """Where results go."""

    async def record(self, replica: UUID, finished: Sequence[Finished]) -> set[UUID]:
        """Write what became of the calls; say for which runs the fence still held. The rest is discarded."""
        ...


class Membership(Protocol):
    """Who is alive, by the database's clock."""

    async def join(self, replica: UUID, hostname: str) -> None: ...

    async def beat(self, replica: UUID) -> bool:
        """Renew the lease; False means that the replica was declared dead."""
        ...

    async def bury(self, lease: timedelta) -> int:
        """Declare those dead whose heartbeat is older than the lease, and take their runs over; say how many runs."""
        ...

    async def leave(self, replica: UUID) -> None:
        """Be dead at once, so that what is still held goes to others."""
        ...

    async def owned(self, replica: UUID) -> dict[UUID, int]:
        """The fence of each run that the ledger thinks this replica is calling."""
        ...

    async def hand_back(self, replica: UUID, runs: dict[UUID, int]) -> int:
        """Make runs pending again that were started by these fences and never called."""
        ...


class ChangeFeed(Protocol):
    """Changes of jobs, told as they are committed by any replica."""

    def listen(self) -> AsyncIterator[int | None]:
        """Job ids, and None wherever changes may have been missed, first of all after each connect."""
        ...


class Target(Protocol):
    """The outside world."""

    def call(self, call: Call) -> Coroutine[Any, Any, Outcome]:
        """Never raises; what goes wrong is the outcome's error."""
        ...
