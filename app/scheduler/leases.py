"""A replica's lease: the time for which it counts as alive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import structlog

from app.domain.clock import Clock
from app.domain.replica import Peer, Role, Vitals
from app.scheduler.looper import LONGEST_WAIT, Looper
from app.scheduler.ports import Membership

MOST_BETWEEN_BEATS = 2.0
_log = structlog.get_logger()


class Lease:
    """Renews itself well before it ends.

    `on_lost` is called when this replica may no longer hold its runs, `on_peers` with those that are alive, `on_moved`
    when this one has joined or left. `vitals` are told with each heartbeat.
    """

    def __init__(
        self,
        store: Membership,
        clock: Clock,
        hostname: str,
        seconds: float,
        *,
        on_lost: Callable[[], None],
        on_peers: Callable[[list[Peer]], None] = lambda _: None,
        on_moved: Callable[[], None] = lambda: None,
        vitals: Callable[[], Awaitable[Vitals]],
        version: str = "",
        role: Role = Role.ALL,
    ) -> None:
        self._store = store
        self._clock = clock
        self._hostname = hostname
        self._seconds = seconds
        self._on_lost = on_lost
        self._on_peers = on_peers
        self._on_moved = on_moved
        self._vitals = vitals
        self._version = version
        self._role = role
        self._until = float("-inf")
        self.replica = uuid4()
        self.loop = Looper("lease", self._step, clock)
        self.watch = Looper("lease watch", self._watch, clock)

    def held(self) -> bool:
        """Whether runs may be started: not in the last tenth, since what is started must also be able to begin."""
        return self._clock.monotonic() < self._until - self._seconds / 10

    def covers(self, replica: UUID) -> bool:
        """Whether what was started under this id may be called: neither did the lease end, nor was it another's."""
        return replica == self.replica and self._clock.monotonic() < self._until

    async def join(self) -> None:
        """Appear under a new id: a random one, since two replicas may have one hostname, and one may come back."""
        self.replica = uuid4()
        asked = self._clock.monotonic()
        await self._store.join(self.replica, self._hostname, self._version, self._role)
        self._until = asked + self._seconds
        self._on_moved()
        self._on_peers(await self._store.peers())

    async def leave(self) -> None:
        self._until = float("-inf")
        await self._store.leave(self.replica)
        self._on_moved()

    async def _step(self) -> float:
        await self._renew()
        self._on_peers(await self._store.peers())
        return min(self._seconds / 3, MOST_BETWEEN_BEATS)

    async def _watch(self) -> float:
        """Apart from the renewals: a database that hangs holds those up for longer than a lease may have left."""
        left = self._until - self._clock.monotonic()
        if left > 0:
            return left
        self._on_lost()
        return LONGEST_WAIT

    async def _renew(self) -> None:
        """The lease counts from before the heartbeat was sent: the database may see it that much earlier."""
        vitals = await self._vitals()
        asked = self._clock.monotonic()
        if await self._store.beat(self.replica, vitals):
            self._until = asked + self._seconds
            return
        _log.warning("declared dead; joining again under a new id", replica=str(self.replica))
        self._until = float("-inf")
        self._on_lost()
        await self.join()
