"""The API keys that were used of late, so that not every request asks the database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from hmac import compare_digest
from uuid import UUID

from app.db.engine import Database
from app.db.transaction import reading, transaction
from app.domain.api_key import ApiKey, digest_of, is_possible, tenants_digest_of
from app.domain.clock import Clock
from app.domain.namespace import DEFAULT

_AT_ONCE = 2
"""Looks into the database at once: made-up keys must not take the connections of the scheduler."""
FRESH_SECONDS = 4.0
"""For so long a key is taken as it was read: a key that is revoked elsewhere is refused within 5 s."""
_TOLD = timedelta(minutes=1)
"""How exactly a key says when it was last used."""


class KnownKeys:
    """Raises StoreUnavailable."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._read: dict[str, tuple[ApiKey, float]] = {}
        self._none_at: float | None = None
        self._any = False
        self._changes = 0  # what was read before the last one is not kept
        self._lookups = asyncio.Semaphore(_AT_ONCE)

    async def find(self, told: str) -> ApiKey | None:
        """The key that was told, if it may be used."""
        if not is_possible(told):
            return None
        digest, tenants = digest_of(told), tenants_digest_of(told)
        key = self._fresh(digest) or await self._look(digest, tenants)
        if key is None or not key.holds(self._clock.now()):
            return None
        return key if compare_digest(key.digest, digest if key.namespace == DEFAULT else tenants) else None

    async def none_yet(self) -> bool:
        """Whether there has never been a key."""
        if self._any or self._is_fresh(self._none_at):
            return not self._any
        asked, changes = self._clock.monotonic(), self._changes
        async with reading(self._database) as tx:
            self._any |= await tx.api_keys.any()
        if changes == self._changes:
            self._none_at = asked
        return not self._any

    def forget(self, key_id: UUID) -> None:
        """It was changed here, or made: it is read anew."""
        self._any = True
        self._changes += 1
        self._read = {digest: read for digest, read in self._read.items() if read[0].id != key_id}

    def _fresh(self, digest: str) -> ApiKey | None:
        key, at = self._read.get(digest, (None, None))
        return key if self._is_fresh(at) else None

    def _is_fresh(self, at: float | None) -> bool:
        return at is not None and self._clock.monotonic() - at < FRESH_SECONDS

    async def _look(self, digest: str, tenants: str) -> ApiKey | None:
        """What is read counts from before it was asked for."""
        asked, now, changes = self._clock.monotonic(), self._clock.now(), self._changes
        async with self._lookups, reading(self._database) as tx:
            key = await tx.api_keys.find((digest, tenants))
        if key is None:
            self._read.pop(digest, None)
            return None
        if changes == self._changes:
            self._read[digest] = key, asked
        if key.holds(now) and (key.last_used_at is None or key.last_used_at < now - _TOLD):
            async with transaction(self._database) as tx:
                await tx.api_keys.touch(key.id, now)
        return key
