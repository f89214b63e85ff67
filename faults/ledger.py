"""The ledger as it stands in PostgreSQL, read past the service."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg

from faults.facts import Attempt, Run, Span
from tests.servers.postgres import plain_dsn

_RUNS = "SELECT id, job_id, scheduled_for, trigger, state, reason, attempt, fence, takeovers, owner FROM job_runs"
_ATTEMPTS = "SELECT run_id, fence, attempt, outcome, discarded FROM job_attempts"
_SPANS = 'SELECT job_id, "from", until, reason, count FROM job_spans'
_ACTIVE = "SELECT count(*) FROM job_runs WHERE state IN ('pending', 'running', 'waiting') AND scheduled_for <= $1"
_WAITING = "SELECT name FROM cron_jobs WHERE enabled AND next_run <= $1 ORDER BY name"


class Ledger:
    """Each question has a connection of its own, so that none depends on what the fault did to another."""

    def __init__(self, url: str) -> None:
        self._url = plain_dsn(url)

    async def fetch(self, query: str, *values: object) -> list[Any]:
        connection = await asyncpg.connect(self._url, timeout=10)
        try:
            return list(await connection.fetch(query, *values, timeout=60))
        finally:
            await connection.close(timeout=10)

    async def value(self, query: str, *values: object) -> Any:  # whatever the query selects
        return (await self.fetch(query, *values))[0][0]

    async def now(self) -> datetime:
        at: datetime = await self.value("SELECT clock_timestamp()")
        return at

    async def runs(self) -> list[Run]:
        return [Run(*row) for row in await self.fetch(_RUNS)]

    async def attempts(self) -> list[Attempt]:
        return [Attempt(*row) for row in await self.fetch(_ATTEMPTS)]

    async def spans(self) -> list[Span]:
        return [Span(*row) for row in await self.fetch(_SPANS)]

    async def waiting(self, end: datetime) -> list[str]:
        """The jobs that wait for an instant which is over."""
        return [row["name"] for row in await self.fetch(_WAITING, end)]

    async def settled(self, end: datetime) -> bool:
        """What waits is asked first: a claim between the two questions turns it into what is active."""
        return not await self.waiting(end) and not await self.value(_ACTIVE, end)
