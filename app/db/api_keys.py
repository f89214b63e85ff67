"""ApiKeyRepository: the rows of `api_keys`, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.access_tables import api_keys
from app.db.schema_level import cronledger_schema
from app.db.tenancy import EVERYWHERE, Tenancy
from app.db.types import AnyRow
from app.domain.access import Scope
from app.domain.api_key import ApiKey

_key = api_keys.c


class ApiKeyRepository:
    """Keys are never removed: one that is revoked says when that was."""

    def __init__(self, connection: AsyncConnection, tenancy: Tenancy = EVERYWHERE) -> None:
        self._connection = connection
        self._tenancy = tenancy

    async def any(self) -> bool:
        """Whether there has ever been one."""
        return bool(await self._connection.scalar(select(exists(select(_key.id)))))

    async def hold_first(self) -> bool:
        """Whether there has been none, as it stays among those who ask this until the transaction ends."""
        await self._connection.execute(select(cronledger_schema.c.id).with_for_update())
        return not await self.any()

    async def add(self, key: ApiKey) -> None:
        await self._connection.execute(insert(api_keys).values(asdict(key) | {"scopes": _told(key.scopes)}))

    async def get(self, key_id: UUID) -> ApiKey | None:
        return await self._one(self._of_id(key_id))

    async def lock(self, key_id: UUID) -> ApiKey | None:
        return await self._one(self._of_id(key_id).with_for_update())

    async def find(self, digests: Sequence[str]) -> ApiKey | None:
        """In whichever namespace it is."""
        return await self._one(select(api_keys).where(_key.digest.in_(digests)))

    async def page(self, after: UUID | None, limit: int) -> list[ApiKey]:
        """Oldest first; `after` is the last id of the page before."""
        query = select(api_keys).where(self._tenancy.holds(_key.namespace)).order_by(_key.id).limit(limit)
        found = await self._connection.execute(query if after is None else query.where(_key.id > after))
        return [_read(row) for row in found]

    async def change(self, key_id: UUID, values: Mapping[str, Any]) -> None:
        """`values` by column, as an ApiKey has them."""
        sent = {name: _told(value) if name == "scopes" else value for name, value in values.items()}
        await self._connection.execute(update(api_keys).where(_key.id == key_id).values(sent))

    async def touch(self, key_id: UUID, at: datetime) -> None:
        """It was used then."""
        later = _key.last_used_at.is_(None) | (_key.last_used_at < at)
        await self._connection.execute(update(api_keys).where(_key.id == key_id, later).values(last_used_at=at))

    def _of_id(self, key_id: UUID) -> Select[*tuple[Any, ...]]:
        return select(api_keys).where(_key.id == key_id, self._tenancy.holds(_key.namespace))

    async def _one(self, query: Select[*tuple[Any, ...]]) -> ApiKey | None:
        row = (await self._connection.execute(query)).first()
        return None if row is None else _read(row)


def _read(row: AnyRow) -> ApiKey:
    """A scope of a later release allows nothing here."""
    known = {scope.value for scope in Scope}
    scopes = frozenset(Scope(each) for each in row.scopes.split() if each in known)
    return ApiKey(**{**row._mapping, "scopes": scopes})


def _told(scopes: frozenset[Scope]) -> str:
    return " ".join(sorted(scopes))
