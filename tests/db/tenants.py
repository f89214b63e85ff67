"""Whoever acts in a namespace, and namespaces to act in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

from app.db.transaction import Transaction, transaction
from app.domain.acting import Actor, acting
from app.domain.clock import FakeClock
from app.domain.namespace import Quotas
from app.service.known_namespaces import KnownNamespaces
from app.service.namespaces import NamespaceService
from tests.db.building import Ledger

ACME, GLOBEX = "acme", "globex"


def within(namespace: str) -> AbstractContextManager[None]:
    return acting(Actor(None, "somebody", is_admin=True, namespace=namespace, home=namespace))


def namespaces_of(ledger: Ledger, clock: FakeClock) -> NamespaceService:
    return NamespaceService(ledger.database, KnownNamespaces(ledger.database, clock))


async def put(ledger: Ledger, name: str = ACME, **quotas: float | None) -> None:
    known = KnownNamespaces(ledger.database, FakeClock(await ledger.rows.time()))
    await NamespaceService(ledger.database, known).put(name, Quotas(**quotas))  # type: ignore[arg-type]  # as they come


@asynccontextmanager
async def in_acme(ledger: Ledger) -> AsyncIterator[Transaction]:
    with within(ACME):
        async with transaction(ledger.database) as tx:
            yield tx
