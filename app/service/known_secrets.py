"""The values that calls carry, read from the database and decrypted, and kept for a few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from app.db.engine import Database
from app.db.tenancy import EVERYWHERE
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

    async def values(self, keys: Collection[str]) -> dict[str, str]:
        """By key, of those that there are. While the database is away, those that were known before will do.

        Raises SecretUnreadable, StoreUnavailable.
        """
        if all(map(self._is_fresh, keys)):
            return self._known(keys)
        async with self._looking:  # of many calls at once, one asks
            if missing := [key for key in keys if not self._is_fresh(key)]:
                return self._known(keys) | await self._looked(missing)
            return self._known(keys)

    def open(self, token: str) -> str:
        """Raises SecretUnreadable."""
        return self._sealer.open(token)

    def forget(self, key: str) -> None:
        """It was changed here: it is read anew."""
        self._changes += 1
        self._read.pop(key, None)

    def _is_fresh(self, key: str) -> bool:
        return key in self._read and self._clock.monotonic() - self._read[key][1] < FRESH_SECONDS

    def _known(self, keys: Collection[str]) -> dict[str, str]:
        return {key: value for key in keys if (value := self._read.get(key, _ABSENT)[0]) is not None}

    async def _looked(self, keys: Collection[str]) -> dict[str, str]:
        asked, changes = self._clock.monotonic(), self._changes
        try:
            async with reading(self._database, EVERYWHERE) as tx:
                tokens = await tx.secrets.tokens(keys)
        except StoreUnavailable:
            if all(key in self._read for key in keys):
                return self._known(keys)
            raise
        found = {key: self._sealer.open(token) for key, token in tokens.items()}
        if changes == self._changes:
            self._read |= {key: (found.get(key), asked) for key in keys}
        return found
