"""The key by which cursors are signed: one of a database, so that each replica reads what another gave out."""

from __future__ import annotations

from secrets import token_hex

from sqlalchemy import select, update

from app.db.engine import Database
from app.db.schema_level import cronledger_schema

_key = cronledger_schema.c.page_key


async def page_key(database: Database) -> bytes:
    """Made by the first that asks."""
    async with database.begin() as connection:
        await connection.execute(update(cronledger_schema).where(_key.is_(None)).values(page_key=token_hex(32)))
    async with database.read() as connection:
        return bytes.fromhex((await connection.execute(select(_key))).scalar_one())
