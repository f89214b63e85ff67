"""The values that calls carry, read from the database and decrypted, and kept for a few seconds."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from app.db.engine import Database
from app.db.transaction import reading
from app.domain.clock import Clock
from app.domain.errors import SecretNotFound, StoreUnavailable
from app.vault.sealer import Sealer

FRESH_SECONDS = 4.0
"""For so long a value is taken as it was read: one that was changed elsewhere is sent within 5 s."""


class KnownSecrets:
    def __init__(self, database: Database, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._read: dict[str, tuple[str, float]] = {}
        self._changes = 0  # what was read before the last one is not kept

    async def values(self, names: Collection[str]) -> dict[str, str]:
        """By name. Without the database, those that were known of late will do.

        Raises SecretNotFound, SecretUnreadable, StoreUnavailable.
        """
        found = {name: self._read[name][0] for name in names if self._is_fresh(name)}
        if missing := set(names) - found.keys():
            found |= await self._looked(missing)
        return found

    def open(self, token: str) -> str:
        """Raises SecretUnreadable."""
        return self._sealer.open(token)

    def forget(self, name: str) -> None:
        """It was changed here: it is read anew."""
        self._changes += 1
        self._read.pop(name, None)

    def _is_fresh(self, name: str) -> bool:
        return name in self._read and self._clock.monotonic() - self._read[name][1] < FRESH_SECONDS

    async def _looked(self, names: Collection[str]) -> dict[str, str]:
        asked, changes = self._clock.monotonic(), self._changes
        try:
            async with reading(self._database) as tx:
                tokens = await tx.secrets.tokens(names)
        except StoreUnavailable:
            if all(name in self._read for name in names):
                return {name: self._read[name][0] for name in names}
            raise
        found = {name: self._sealer.open(_token(tokens, name)) for name in names}
        if changes == self._changes:
            self._read |= {name: (value, asked) for name, value in found.items()}
        return found


def _token(tokens: Mapping[str, str], name: str) -> str:
    if name not in tokens:
        raise SecretNotFound(f"There is no secret named {name}.")
    return tokens[name]
