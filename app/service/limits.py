"""Use cases of limits: keys that jobs share, and how many of their runs may go on at once or start in a second."""

from __future__ import annotations

from app.db.engine import Database
from app.db.transaction import reading, transaction
from app.domain.errors import LimitNotFound
from app.domain.limit import KeyLimit
from app.service.quotas import check_name, hold_home


class LimitService:
    """Raises the errors of `domain.errors`. Whoever starts runs reads the limit anew, so a change needs no telling."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> KeyLimit:
        async with reading(self._database) as tx:
            return _found(await tx.limits.get(key), key)

    async def page(self, after: str | None, limit: int) -> list[KeyLimit]:
        async with reading(self._database) as tx:
            return await tx.limits.page(after, limit)

    async def put(self, key: str, max_concurrency: int | None, rate_per_second: float | None) -> tuple[KeyLimit, bool]:
        """Create the limit or make it this; the flag says whether it is new. Runs that have started go on."""
        async with transaction(self._database) as tx:
            check_name(tx, key)
            before = await tx.limits.get(key)
            new = await tx.limits.put(key, max_concurrency, rate_per_second, await tx.time())
            await hold_home(tx)
            wanted = {"max_concurrency": max_concurrency, "rate_per_second": rate_per_second}
            await tx.audit_log.note("limit.put", key, before=_allowed(before), after=wanted)
            return _found(await tx.limits.get(key), key), new

    async def delete(self, key: str) -> None:
        """What waits for it may start."""
        async with transaction(self._database) as tx:
            before = _found(await tx.limits.get(key), key)
            if not await tx.limits.remove(key):
                _found(None, key)
            await tx.audit_log.note("limit.delete", key, before=_allowed(before))


def _allowed(limit: KeyLimit | None) -> dict[str, float | None] | None:
    if limit is None:
        return None
    return {"max_concurrency": limit.max_concurrency, "rate_per_second": limit.rate_per_second}


def _found(limit: KeyLimit | None, key: str) -> KeyLimit:
    if limit is None:
        raise LimitNotFound(
            f"There is no limit for the key {key}.", remedy="GET /v1/limits lists those that there are."
        )
    return limit
