"""What others see of that which runs. What a marker holds is the token by which it is renewed and deleted."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis

from app.coordination.connection import RedisConnection
from app.coordination.markers import Markers
from app.coordination.names import Names
from tests.coordination.building import ME, OTHER, started


async def seen(client: Redis, names: Names) -> dict[str, Any]:
    """The markers of runs, by the rest of their keys."""
    keys = [key async for key in client.scan_iter(match=f"{names.prefix}:running:*")]
    return {key.rpartition(":")[2]: json.loads(str(await client.get(key))) for key in keys}


async def test_what_runs_is_marked_until_it_has_ended(connection: RedisConnection, client: Redis, names: Names) -> None:
    markers, one, other = Markers(names), started("one"), started("other", fence=3)
    await connection.send(markers.commands(ME, [one, other]))
    assert await seen(client, names) == {
        str(one.call.run_id): {"job": "one", "replica": str(ME), "fence": 1},
        str(other.call.run_id): {"job": "other", "replica": str(ME), "fence": 3},
    }
    assert await client.get(names.replica(ME)) == str(ME)
    await connection.send(markers.commands(ME, [other]))
    assert set(await seen(client, names)) == {str(other.call.run_id)}
    await connection.send(markers.farewell())
    assert await seen(client, names) == {}
    assert await client.get(names.replica(ME)) is None


async def test_markers_that_were_flushed_are_set_again(
    connection: RedisConnection, client: Redis, names: Names
) -> None:
    markers, one = Markers(names), started()
    await connection.send(markers.commands(ME, [one]))
    await client.delete(names.running(one.call.run_id), names.replica(ME))
    await connection.send(markers.commands(ME, [one]))
    assert set(await seen(client, names)) == {str(one.call.run_id)}


async def test_a_run_that_went_to_another_keeps_the_other_s_marker(
    connection: RedisConnection, client: Redis, names: Names
) -> None:
    mine, others, run = Markers(names), Markers(names), started()
    taken = replace(run, fence=2)
    await connection.send(mine.commands(ME, [run]))
    assert await connection.send(others.commands(OTHER, [taken])) == [1]  # the replica's own
    await client.delete(names.running(run.call.run_id))  # its time is up
    await connection.send(others.commands(OTHER, [taken]))
    await connection.send(mine.commands(ME, [run]))
    await connection.send(mine.farewell())
    assert (await seen(client, names))[str(run.call.run_id)]["fence"] == 2


async def test_under_a_new_id_a_replica_leaves_nothing_of_the_old_one(
    connection: RedisConnection, client: Redis, names: Names
) -> None:
    markers, run = Markers(names), started()
    await connection.send(markers.commands(ME, [run]))
    await connection.send(markers.commands(OTHER, [run]))
    assert await client.get(names.replica(ME)) is None
    assert (await seen(client, names))[str(run.call.run_id)]["replica"] == str(OTHER)
