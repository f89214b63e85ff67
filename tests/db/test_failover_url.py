"""A URL of several servers, of which one at a time can be written to."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast
from urllib.parse import urlsplit

from sqlalchemy import text

from app.db.changes import PostgresChangeFeed
from app.db.engine import connect
from tests.servers.process import free_port


def _of_two(url: str) -> str:
    """At the first of them, nobody is there."""
    parts = urlsplit(url)
    hosts = f"host=127.0.0.1:{free_port()}&host={parts.hostname}:{parts.port}"
    user = parts.netloc.rpartition("@")[0]
    return f"postgresql://{user}@{parts.path}?{hosts}&target_session_attrs=read-write"


async def test_the_server_that_is_there_is_used(postgres_url: str) -> None:
    database = connect(_of_two(postgres_url))
    async with database.begin() as connection:
        assert (await connection.scalar(text("SELECT pg_is_in_recovery()"))) is False
    await database.close()


async def test_changes_are_told_by_the_server_that_is_there(postgres_url: str) -> None:
    heard = cast(AsyncGenerator[int | None], PostgresChangeFeed(_of_two(postgres_url)).listen())
    async with aclosing(heard):
        assert await anext(heard) is None
