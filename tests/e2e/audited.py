"""Whether each due instant is accounted for, as the service itself tells."""

from __future__ import annotations

from app.domain.clock import Clock
from app.domain.explanation import Finding
from app.service.stats import StatsAsked
from tests.db.building import opened
from tests.e2e.client import Api


async def count_until_now(url: str, clock: Clock | None = None) -> None:
    """What a replica's auditor does a minute later, now that no change is under way."""
    async with opened(url, clock) as ledger:
        await ledger.auditor.audit_until(await ledger.rows.time())


async def nothing_is_unaccounted(url: str, clock: Clock | None) -> None:
    await count_until_now(url, clock)
    async with opened(url, clock) as ledger:
        stats, _ = await ledger.stats.stats(StatsAsked(), None, 1)
    assert stats.total.absent.get(Finding.UNACCOUNTED, 0) == 0
    assert stats.total.due == sum(stats.total.outcomes.states.values()) + sum(stats.total.absent.values())


async def api_tells_that_nothing_is_unaccounted(url: str, api: Api) -> None:
    await count_until_now(url)
    total = (await api.get("/v1/stats"))["total"]
    assert total["due"] > 0
    assert total["unaccounted"] == 0
