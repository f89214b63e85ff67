"""What namespaces may have, kept for a few seconds, so that not every request asks the database."""

from __future__ import annotations

from app.db.engine import Database
from app.db.transaction import reading
from app.domain.clock import Clock
from app.domain.errors import StoreUnavailable
from app.domain.namespace import DEFAULT, Quotas, is_name

FRESH_SECONDS = 4.0
"""For so long they are taken as they were read: what is changed elsewhere holds here within 5 s."""
_MOST = 10_000


class KnownNamespaces:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._read: dict[str, tuple[Quotas, float]] = {}
        self._changes = 0  # what was read before the last one is not kept

    async def quotas(self, name: str) -> Quotas | None:
        """None where there is no such namespace. While the database is away, what was known before will do.

        Raises StoreUnavailable for one that was not known; `default` is there in any case.
        """
        if not is_name(name):
            return None
        known, at = self._read.get(name, (None, 0.0))
        if known is not None and self._clock.monotonic() - at < FRESH_SECONDS:
            return known
        try:
            return await self._look(name)
        except StoreUnavailable:
            if known is None and name != DEFAULT:
                raise
            return known or Quotas()

    def forget(self, name: str) -> None:
        """It was changed here: it is read anew."""
        self._changes += 1
        self._read.pop(name, None)

    async def _look(self, name: str) -> Quotas | None:
        asked, changes = self._clock.monotonic(), self._changes
        async with reading(self._database) as tx:
            found = await tx.namespaces.quotas(name)
        self._read.pop(name, None)
        if found is not None and changes == self._changes:
            if len(self._read) >= _MOST:
                self._read.clear()
            self._read[name] = found, asked
        return found
