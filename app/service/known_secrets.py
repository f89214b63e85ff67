"""The values that calls carry, read from the database and decrypted, and kept for a few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from app.db.engine import Database
from app.db.transaction import reading
from app.domain.clock import Clock
from app.domain.errors import StoreUnavailable
from app.vault.sealer import Sealer

_ABSENT = (None, 0.0)

FRESH_SECONDS = 4.0
"""For so long a value is taken as it was read: one that was changed elsewhere is sent within 5 s."""


class KnownSecrets:
    def __init__(self, database: Database, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._read: dict[str, tuple[str | None, float]] = {}
        self._looking = asyncio.Lock()
        self._changes = 0  # what was read before the last one is not kept

    async def values(self, names: Collection[str]) -> dict[str, str]:
        """By name, of those that there are. While the database is away, those that were known before will do.

        Raises SecretUnreadable, StoreUnavailable.
        """
        if all(map(self._is_fresh, names)):
            return self._known(names)
        async with self._looking:  # of many calls at once, one asks
            if missing := [name for name in names if not self._is_fresh(name)]:
                return self._known(names) | await self._looked(missing)
            return self._known(names)

    def open(self, token: str) -> str:
        """Raises SecretUnreadable."""
        return self._sealer.open(token)

    def forget(self, name: str) -> None:
        """It was changed here: it is read anew."""
        self._changes += 1
        self._read.pop(name, None)

    def _is_fresh(self, name: str) -> bool:
        return name in self._read and self._clock.monotonic() - self._read[name][1] < FRESH_SECONDS

    def _known(self, names: Collection[str]) -> dict[str, str]:
        return {name: value for name in names if (value := self._read.get(name, _ABSENT)[0]) is not None}

    async def _looked(self, names: Collection[str]) -> dict[str, str]:
        asked, changes = self._clock.monotonic(), self._changes
        try:
            async with reading(self._database) as tx:
                tokens = await tx.secrets.tokens(names)
        except StoreUnavailable:
            if all(name in self._read for name in names):
                return self._known(names)
            raise
        found = {name: self._sealer.open(token) for name, token in tokens.items()}
        if changes == self._changes:
            self._read |= {name: (found.get(name), asked) for name in names}
        return found
