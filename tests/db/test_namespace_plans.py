"""What people ask within a namespace, of a ledger of 100,000 runs that the planner knows nothing of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from app.db.events import SPAN, EventLog
from app.db.runs import RunFilter
from app.domain.event import EventFilter
from app.domain.namespace import DEFAULT
from tests.db.building import Ledger
from tests.db.grown import fill
from tests.db.plans import explain, listening, most_read
from tests.db.tenants import ACME, put, within

PAGE = 50

QUESTIONS: dict[str, Callable[[Ledger, str], Awaitable[Any]]] = {
    "runs": lambda ledger, _: ledger.runs.page(RunFilter(), None, PAGE),
    "backfills": lambda ledger, _: ledger.backfills.page(None, None, PAGE),
    "events": lambda ledger, name: EventLog(ledger.database).page(0, 10**6, EventFilter(namespace=name)),
}

_LISTED = "INSERT INTO job_namespaces SELECT uid, '{namespace}' FROM cron_jobs WHERE id % {every} = 0"


async def _most(ledger: Ledger, admin: asyncpg.Connection, namespace: str, what: str) -> int:
    with listening(ledger.database) as sent, within(namespace):
        await QUESTIONS[what](ledger, namespace)
    return max([most_read(await explain(admin, each)) for each in sent])


@pytest.mark.parametrize("what", QUESTIONS)
@pytest.mark.parametrize("others", [False, True])
async def test_a_page_of_default_is_read_in_its_order(
    postgres: Ledger, admin: asyncpg.Connection, what: str, *, others: bool
) -> None:
    """Whether there are other namespaces or not; one that there is not must not cost a single user anything."""
    await fill(admin)
    if others:
        await admin.execute(_LISTED.format(namespace=ACME, every=3))
    assert await _most(postgres, admin, DEFAULT, what) <= 1000


@pytest.mark.parametrize("what", QUESTIONS)
@pytest.mark.parametrize("every", [2, 1000])
async def test_a_page_of_another_is_too(postgres: Ledger, admin: asyncpg.Connection, what: str, every: int) -> None:
    """One that has many jobs, and one that has few, of which all those of the others are not walked over."""
    await fill(admin)
    await put(postgres)
    await admin.execute(_LISTED.format(namespace=ACME, every=every))
    assert await _most(postgres, admin, ACME, what) <= (SPAN if what == "events" else 1000)
