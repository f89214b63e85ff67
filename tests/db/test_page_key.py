"""The key by which cursors are signed."""

from __future__ import annotations

import asyncio

from app.db.page_key import page_key
from tests.db.building import Ledger


async def test_all_replicas_have_the_same(ledger: Ledger, rival: Ledger) -> None:
    first, second = await asyncio.gather(page_key(ledger.database), page_key(rival.database))
    assert first == second == await page_key(ledger.database)
    assert len(first) == 32
