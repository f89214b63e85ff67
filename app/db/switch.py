"""The stop switch: one row, which whoever makes or changes a job shares, and whoever turns it holds alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.tables import scheduler_switch


class SwitchRepository:
    """Within the caller's transaction. The row is there from the first migration on."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def paused(self) -> bool:
        """As it stays until the transaction ends."""
        return bool(await self._connection.scalar(select(scheduler_switch.c.paused).with_for_update(read=True)))

    async def held(self) -> tuple[bool, datetime]:
        """Whether it is paused, and since when it is as it is; it stays so until the transaction ends."""
        query = select(scheduler_switch.c.paused, scheduler_switch.c.changed_at).with_for_update(read=True)
        row = (await self._connection.execute(query)).one()
        return row.paused, row.changed_at

    async def peek(self) -> tuple[bool, datetime]:
        """Whether it is paused just now, and since when it is as it is."""
        row = (await self._connection.execute(select(scheduler_switch.c.paused, scheduler_switch.c.changed_at))).one()
        return row.paused, row.changed_at

    async def turn(self, *, paused: bool, at: datetime) -> bool:
        """Say whether that changed anything."""
        turned = (
            update(scheduler_switch).where(scheduler_switch.c.paused != paused).values(paused=paused, changed_at=at)
        )
        return (await self._connection.execute(turned)).rowcount > 0
