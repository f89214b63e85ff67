"""Requests that are carried out once: by their key what was asked, and the answer when there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import before_commit
from app.db.tables import idempotency_keys
from app.db.upserts import insert_unless_there
from app.domain.errors import RequestInFlight

KEPT_FOR = timedelta(hours=24)

_key = idempotency_keys.c


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Request:
    """A row: `begun_at` tells one try from another, `carried_out` says that something of it was committed."""

    key: str
    fingerprint: str
    begun_at: datetime
    carried_out: bool = False
    answer: Answer | None = None


class IdempotencyRepository:
    """Within the caller's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def begin(self, request: Request) -> Request | None:
        """None where the key is new, and the request's; otherwise what it stands for, as it stays until the end."""
        values = {"key": request.key, "fingerprint": request.fingerprint, "begun_at": request.begun_at}
        if await insert_unless_there(self._connection, idempotency_keys, "key", values):
            return None
        query = select(idempotency_keys).where(_key.key == request.key).with_for_update()
        row = (await self._connection.execute(query)).first()
        if row is None:  # given back since
            await self._connection.execute(insert(idempotency_keys).values(values))
            return None
        answer = None if row.status is None else Answer(row.status, row.headers, row.body)
        return Request(row.key, row.fingerprint, row.begun_at, row.carried_out, answer)

    async def renew(self, request: Request) -> None:
        """Another try with the same key, which must be locked."""
        await self._connection.execute(
            update(idempotency_keys)
            .where(_key.key == request.key)
            .values(fingerprint=request.fingerprint, begun_at=request.begun_at, carried_out=False, status=None)
        )

    async def carry_out(self, request: Request) -> None:
        """In the transaction of the change itself. Raises RequestInFlight where another try has begun."""
        marked = update(idempotency_keys).where(*_is(request)).values(carried_out=True)
        if not (await self._connection.execute(marked)).rowcount:
            raise RequestInFlight

    async def keep(self, request: Request, answer: Answer) -> None:
        values = {"status": answer.status, "headers": answer.headers, "body": answer.body}
        await self._connection.execute(update(idempotency_keys).where(*_is(request)).values(values))

    async def release(self, request: Request) -> None:
        """Of what was not carried out nothing is kept."""
        await self._connection.execute(delete(idempotency_keys).where(*_is(request), _key.carried_out.is_(False)))

    async def forget(self, before: datetime) -> None:
        await self._connection.execute(delete(idempotency_keys).where(_key.begun_at < before))


@contextmanager
def carrying_out(request: Request) -> Iterator[None]:
    """What this task commits meanwhile is of the request, and says so."""

    async def mark(connection: AsyncConnection) -> None:
        await IdempotencyRepository(connection).carry_out(request)

    with before_commit(mark):
        yield


def _is(request: Request) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _key.key == request.key, _key.begun_at == request.begun_at
