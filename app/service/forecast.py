"""What comes next, over all jobs."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from app.db.engine import Database
from app.db.transaction import reading
from app.db.upcoming import UpcomingSource
from app.domain.forecast import Forecast, forecast


class ForecastService:
    """One forecast at a time, off the event loop: whoever asks meanwhile waits, so that the work stays bounded."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs = UpcomingSource(database)
        self._turn = asyncio.Lock()

    async def forecast(self, hours: int) -> Forecast:
        """From now, by the database's clock."""
        async with self._turn:
            async with reading(self._database) as tx:
                at = await tx.time()
            return await asyncio.to_thread(forecast, await self._jobs.all(tx.tenancy), at, at + timedelta(hours=hours))
