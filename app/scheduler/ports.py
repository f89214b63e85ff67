"""What the scheduler asks of the outside; `main` hands it the real things, tests may hand it others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from app.domain.claim import Candidate, Claims, Finished, Held, Opened, Paused, Queued, Recorded, Slots, Starts
from app.domain.entries import JobRow
from app.domain.replica import Peer, Role, Vitals
from app.domain.run import Call, Outcome, State, Trigger


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

    async def waiting(self, ids: Iterable[int]) -> dict[int, tuple[int, datetime]]:
        """The version of each of these jobs that waits for an occurrence, and the occurrence."""
        ...

    async def set_aside(self, job_id: int, version: int, problem: str) -> bool:
        """Stop scheduling a job that can't be planned, and say why in its row. False where somebody has locked it."""
        ...


class ClaimStore(Protocol):
    """The claim, one transaction."""

    async def claim(
        self, replica: UUID, candidates: Sequence[Candidate], slots: Slots, done: Collection[Held] = ()
    ) -> Claims:
        """What a transaction that failed had admitted is released.

        `done` are starts that are over for good and not recorded yet: what they started is not active any more.
        """
        ...


class StartStore(Protocol):
    """Pending runs, and starting them."""

    async def start(self, replica: UUID, queued: Sequence[Queued], done: Collection[Held] = ()) -> Starts:
        """For `done` see `ClaimStore.claim`.

        What is in neither list is no longer pending, calls another host, or was held up.
        """
        ...

    async def pending(self, limit: int, full_hosts: Collection[str], overdue: timedelta) -> list[Queued]:
        """Runs that nothing holds up, due for so long, those of full hosts left out, earliest first."""
        ...

    async def opened(
        self,
        limit: int,
        full_hosts: Collection[str],
        crowded_hosts: Collection[str] = (),
        passed_over: Collection[UUID] = (),
    ) -> Opened:
        """Runs that were held up and may have room now, the first at each gate.

        What is caught up or backfilled is left out at crowded hosts too, and these runs, which others stand behind, in
        any case.
        """
        ...

    async def expire(self) -> Recorded:
        """End pending runs whose deadline has passed."""
        ...

    async def time_out(self) -> Recorded:
        """End attempts that wait for a callback which has not come in time."""
        ...


class RecordStore(Protocol):
    """Where results go."""

    async def record(self, replica: UUID, finished: Sequence[Finished]) -> Recorded:
        """Write what became of the calls whose fence still holds. The rest is discarded, or busy."""
        ...


class Membership(Protocol):
    """Who is alive, by the database's clock."""

    async def join(self, replica: UUID, hostname: str, version: str, role: Role) -> None: ...

    async def beat(self, replica: UUID, vitals: Vitals) -> bool:
        """Renew the lease; False means that the replica was declared dead."""
        ...

    async def peers(self) -> list[Peer]:
        """The replicas that schedule and are not dead."""
        ...

    async def bury(self, lease: timedelta) -> list[tuple[State, Trigger]]:
        """Declare those dead whose heartbeat is older than the lease, and take their runs over.

        What became of each run, and why it existed.
        """
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


class CancelSource(Protocol):
    """What people, or other runs, asked to be ended."""

    async def asked(self, replica: UUID) -> set[Held]:
        """The starts that this replica holds and whose calls are to be cut. Raises StoreUnavailable."""
        ...


class PauseStore(Protocol):
    """Jobs that are paused until an instant."""

    async def end_due(self) -> list[int]:
        """Let some of those go on whose instant has come; say which. Raises StoreUnavailable."""
        ...


class FailureStore(Protocol):
    """Jobs that fail."""

    async def pause_failing(self) -> Paused:
        """Pause some of those that have failed as often in a row as they may. Raises StoreUnavailable."""
        ...


class Keeper(Protocol):
    """Keeps the database in order."""

    async def tend(self) -> bool:
        """Do what is due by now, for seconds at most; several replicas may at once. Raises StoreUnavailable.

        Whether there is more to do.
        """
        ...


class Audit(Protocol):
    """Counts what was due."""

    async def audit(self) -> bool:
        """Take one step, unless another replica has; whether there is more to do. Raises StoreUnavailable."""
        ...


class ChangeFeed(Protocol):
    """Changes of jobs, told as they are committed by any replica."""

    def listen(self) -> AsyncIterator[int | None]:
        """Job ids, and None wherever changes may have been missed, first of all after each connect."""
        ...


class Announcer(Protocol):
    """Tells other replicas what this one did. Hints alone: each call returns at once, and what it says may be lost."""

    def jobs_changed(self, job_ids: Iterable[int]) -> None: ...

    def many_changed(self) -> None: ...

    def members_changed(self) -> None:
        """It joined, or left."""
        ...


class NoAnnouncer:
    """The database tells, or nobody does."""

    def jobs_changed(self, job_ids: Iterable[int]) -> None: ...

    def many_changed(self) -> None: ...

    def members_changed(self) -> None: ...


class Target(Protocol):
    """The outside world."""

    def call(self, call: Call) -> Coroutine[Any, Any, Outcome]:
        """Never raises; what goes wrong is the outcome's error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The outside, as the scheduler sees it."""

    jobs: JobSource
    claims: ClaimStore
    starts: StartStore
    records: RecordStore
    cancels: CancelSource
    pauses: PauseStore
    failing: FailureStore
    members: Membership
    keeper: Keeper
    audit: Audit
    target: Target
    feed: ChangeFeed | None = None
    announcer: Announcer = field(default_factory=NoAnnouncer)
