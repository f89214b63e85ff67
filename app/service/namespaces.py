"""Use cases of namespaces: made, given quotas, read, deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TypeVar

from app.db import migrate
from app.db.engine import Database, connect
from app.db.namespaces import day_of
from app.db.transaction import Transaction, reading, transaction
from app.domain.acting import Actor, acting
from app.domain.clock import SystemClock
from app.domain.errors import InvalidInput, NamespaceInUse, NamespaceNotFound, NameTaken
from app.domain.namespace import DEFAULT, RESERVED, Namespace, Quotas
from app.service.known_namespaces import KnownNamespaces
from app.service.quotas import require

T = TypeVar("T")


class NamespaceService:
    """Raises the errors of `domain.errors`. Whoever acts in another than `default` sees that one alone."""

    def __init__(self, database: Database, known: KnownNamespaces) -> None:
        self._database = database
        self._known = known

    async def get(self, name: str) -> Namespace:
        async with reading(self._database) as tx:
            return _found(await _get(tx, name) if _is_seen(tx, name) else None, name)

    async def page(self, after: str | None, limit: int) -> list[Namespace]:
        async with reading(self._database) as tx:
            if tx.tenancy.home == DEFAULT:
                return await tx.namespaces.page(after, limit, day_of(await tx.time()))
            own = await _get(tx, tx.tenancy.home)
        return [own] if own is not None and (after is None or own.name > after) else []

    async def all(self) -> list[Namespace]:
        found: list[Namespace] = []
        while page := await self.page(found[-1].name if found else None, 1000):
            found += page
        return found

    async def put(self, name: str, quotas: Quotas) -> tuple[Namespace, bool]:
        """Create the namespace or make its quotas these; the flag says whether it is new. What is there goes on."""
        _check_name(name)
        async with transaction(self._database) as tx:
            new = await tx.namespaces.add(name, quotas, at := await tx.time())
            before = None if new else _not_deleted(await tx.namespaces.lock(name), name)
            if before is not None:
                await tx.namespaces.write(name, quotas, at)
            if new or before != quotas:
                told = None if before is None else asdict(before)
                await tx.audit_log.note("namespace.put", name, before=told, after=asdict(quotas))
            made = _found(await _get(tx, name), name)
        self._known.forget(name)
        return made, new

    async def delete(self, name: str) -> None:
        """Raises NamespaceInUse where there is anything in it. Its runs stay, and nobody sees them."""
        if name == DEFAULT:
            raise NamespaceInUse(f"{DEFAULT} is always there.", remedy="Take its quotas away with PUT, if it has any.")
        async with transaction(self._database) as tx:
            quotas = require(await tx.namespaces.lock(name), name)
            at = await tx.time()
            if contents := await tx.namespaces.contents(name, at):
                raise NamespaceInUse(
                    f"The namespace {name} is not empty: {', '.join(contents)}.",
                    remedy="Delete them first, and revoke its API keys.",
                )
            await tx.namespaces.end(name, at)
            await tx.audit_log.note("namespace.delete", name, before=asdict(quotas))
        self._known.forget(name)


async def with_namespaces(url: str, work: Callable[[NamespaceService], Awaitable[T]]) -> T:
    """On the database itself, which is brought up to date first."""
    await asyncio.to_thread(migrate.upgrade, url)
    database = connect(url)
    try:
        with acting(Actor(None, "command line", is_admin=True)):
            return await work(NamespaceService(database, KnownNamespaces(database, SystemClock())))
    finally:
        await database.close()


def _is_seen(tx: Transaction, name: str) -> bool:
    return tx.tenancy.home in (DEFAULT, name)


async def _get(tx: Transaction, name: str) -> Namespace | None:
    return await tx.namespaces.get(name, day_of(await tx.time()))


def _check_name(name: str) -> None:
    if name == RESERVED:
        raise InvalidInput(f"{RESERVED} is the service's own.", field="name", remedy="Use another name.")


def _not_deleted(quotas: Quotas | None, name: str) -> Quotas:
    if quotas is None:
        raise NameTaken(
            f"The namespace {name} was deleted, and its runs may be kept under its name.",
            field="name",
            remedy="Use another name.",
        )
    return quotas


def _found(namespace: Namespace | None, name: str) -> Namespace:
    if namespace is None:
        raise NamespaceNotFound(
            f"There is no namespace named {name}.", remedy="GET /v1/namespaces lists those that there are."
        )
    return namespace
