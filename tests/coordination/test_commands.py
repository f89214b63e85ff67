"""A marker is its owner's: another's token neither renews nor deletes it."""

from __future__ import annotations

from datetime import timedelta

from redis.asyncio import Redis

from app.coordination.commands import LAST_RUN_KEPT, MARKED_FOR, advance, hold, release
from app.coordination.connection import RedisConnection
from app.coordination.names import Names
from tests.coordination.building import AT, ME

LIFE = round(MARKED_FOR.total_seconds() * 1000)


async def test_another_s_token_does_not_renew_a_marker(
    connection: RedisConnection, client: Redis, names: Names
) -> None:
    key = names.replica(ME)
    assert await connection.send(hold({key: "mine"})) == [1]
    await client.pexpire(key, 5000)
    assert await connection.send(hold({key: "another's"})) == [0]
    assert await client.get(key) == "mine"
    assert await client.pttl(key) <= 5000


async def test_its_owner_s_token_does(connection: RedisConnection, client: Redis, names: Names) -> None:
    key = names.replica(ME)
    await connection.send(hold({key: "mine"}))
    await client.pexpire(key, 5000)
    assert await connection.send(hold({key: "mine"})) == [1]
    assert 5000 < await client.pttl(key) <= LIFE


async def test_another_s_token_does_not_delete_a_marker(
    connection: RedisConnection, client: Redis, names: Names
) -> None:
    key = names.replica(ME)
    await connection.send(hold({key: "mine"}))
    assert await connection.send(release({key: "another's"})) == [0]
    assert await client.get(key) == "mine"
    assert await connection.send(release({key: "mine"})) == [1]
    assert await client.get(key) is None


async def test_the_last_run_moves_forward_alone_and_is_kept_for_thirty_days(
    connection: RedisConnection, client: Redis, names: Names
) -> None:
    key, later = names.last_run("job"), AT + timedelta(microseconds=1)
    for at in (AT, later, AT):
        await connection.send(advance({key: at}))
    assert await client.get(key) == later.isoformat()
    assert LAST_RUN_KEPT - timedelta(minutes=1) < timedelta(seconds=await client.ttl(key)) <= LAST_RUN_KEPT
    assert timedelta(days=30) == LAST_RUN_KEPT


async def test_many_are_told_in_a_few_commands(connection: RedisConnection, client: Redis, names: Names) -> None:
    tokens = {f"{names.prefix}:{number}": f"token {number}" for number in range(1200)}
    assert await connection.send(hold(tokens)) == [500, 500, 200]
    assert await client.mget(tokens) == list(tokens.values())
    assert await connection.send(release(tokens)) == [500, 500, 200]
    await connection.send(advance(dict.fromkeys(tokens, AT)))
    assert set(await client.mget(tokens)) == {AT.isoformat(timespec="microseconds")}
