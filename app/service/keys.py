"""Use cases of API keys: made, read, changed and revoked."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from app.db import migrate
from app.db.engine import Database, connect
from app.db.transaction import reading, transaction
from app.domain.access import Scope
from app.domain.acting import Actor, acting
from app.domain.api_key import BITS, ApiKey, compose, digest_of, hint_of, tenants_digest_of
from app.domain.clock import SystemClock
from app.domain.errors import InvalidInput, KeyNotFound
from app.domain.namespace import DEFAULT
from app.service.known_keys import KnownKeys
from app.service.quotas import hold_home

T = TypeVar("T")


class KeyService:
    """Raises the errors of `domain.errors`. What changes here is known here at once, and elsewhere within 5 s."""

    def __init__(self, database: Database, known: KnownKeys) -> None:
        self._database = database
        self._known = known

    async def create(
        self, name: str, scopes: frozenset[Scope], expires_at: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """The key, and what its holder is to send: told here and never again."""
        told = new_key()
        async with transaction(self._database) as tx:
            now = await tx.time()
            _check_expiry(expires_at, now)
            key = key_of(told, name, scopes, now, expires_at)
            if (home := tx.tenancy.home) != DEFAULT:
                key = replace(key, namespace=home, digest=tenants_digest_of(told))
            await tx.api_keys.add(key)
            await hold_home(tx)
            await tx.audit_log.note("key.create", name, key.id, after=_facts(key))
        self._known.forget(key.id)
        return key, told

    async def get(self, key_id: UUID) -> ApiKey:
        async with reading(self._database) as tx:
            return _found(await tx.api_keys.get(key_id), key_id)

    async def page(self, after: UUID | None, limit: int) -> list[ApiKey]:
        async with reading(self._database) as tx:
            return await tx.api_keys.page(after, limit)

    async def all(self) -> list[ApiKey]:
        found: list[ApiKey] = []
        while page := await self.page(found[-1].id if found else None, 1000):
            found += page
        return found

    async def change(self, key_id: UUID, values: Mapping[str, Any]) -> ApiKey:
        """`values` are of `name`, `scopes` and `expires_at`."""
        async with transaction(self._database) as tx:
            before = _found(await tx.api_keys.lock(key_id), key_id)
            if "expires_at" in values:
                _check_expiry(values["expires_at"], await tx.time())
            if values:
                await tx.api_keys.change(key_id, values)
            key = _found(await tx.api_keys.get(key_id), key_id)
            if _facts(key) != _facts(before):
                await tx.audit_log.note("key.change", key.name, key_id, before=_facts(before), after=_facts(key))
        self._known.forget(key_id)
        return key

    async def revoke(self, key_id: UUID) -> ApiKey:
        """For ever. One that is revoked already stays as it is."""
        async with transaction(self._database) as tx:
            key = _found(await tx.api_keys.lock(key_id), key_id)
            if key.revoked_at is None:
                await tx.api_keys.change(key_id, {"revoked_at": await tx.time()})
                await tx.audit_log.note("key.revoke", key.name, key_id, before=_facts(key))
            key = _found(await tx.api_keys.get(key_id), key_id)
        self._known.forget(key_id)
        return key


async def bootstrap(database: Database, told: str) -> bool:
    """Make this the first key, which may do everything, unless there has been one. Say whether it is new."""
    async with transaction(database) as tx:
        if not await tx.api_keys.hold_first():
            return False
        key = key_of(told, "bootstrap", frozenset({Scope.ADMIN}), await tx.time())
        await tx.api_keys.add(key)
        with acting(Actor(None, "CRONLEDGER_BOOTSTRAP_KEY", is_admin=True)):
            await tx.audit_log.note("key.create", key.name, key.id, after=_facts(key))
        return True


async def with_keys(url: str, work: Callable[[KeyService], Awaitable[T]], namespace: str = DEFAULT) -> T:
    """On the database itself, which is brought up to date first."""
    await asyncio.to_thread(migrate.upgrade, url)
    database = connect(url)
    try:
        with acting(Actor(None, "command line", is_admin=True, namespace=namespace)):
            return await work(KeyService(database, KnownKeys(database, SystemClock())))
    finally:
        await database.close()


def any_key(url: str) -> bool:
    """Whether there has ever been one."""

    async def asked(service: KeyService) -> bool:
        return bool(await service.page(None, 1))

    return asyncio.run(with_keys(url, asked))


def new_key() -> str:
    return compose(secrets.token_bytes(BITS // 8))


def key_of(told: str, name: str, scopes: frozenset[Scope], at: datetime, expires_at: datetime | None = None) -> ApiKey:
    """What is kept of it."""
    return ApiKey(
        id=uuid7(),
        name=name,
        hint=hint_of(told),
        digest=digest_of(told),
        scopes=scopes,
        created_at=at,
        expires_at=expires_at,
    )


def _facts(key: ApiKey) -> dict[str, object]:
    return {"name": key.name, "hint": key.hint, "scopes": sorted(key.scopes), "expires_at": key.expires_at}


def _check_expiry(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("The key would have expired already.", field="expires_at", remedy="Choose a later instant.")


def _found(key: ApiKey | None, key_id: UUID) -> ApiKey:
    if key is None:
        raise KeyNotFound(f"There is no API key {key_id}.", remedy="GET /v1/keys lists those that there are.")
    return key
