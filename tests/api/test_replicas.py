from __future__ import annotations

from uuid import UUID

from httpx2 import AsyncClient

from app.db.engine import Database
from app.db.replicas import ReplicaRepository
from app.domain.replica import Role, Vitals
from app.service.services import Services
from tests.api.building import build_app, client_of, problem

ONE, OTHER, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
FIELDS = "id hostname version role started_at heartbeat_at dead entries_preferred runs_in_flight claims clock_skew_ms"


async def test_each_replica_tells_of_itself(client: AsyncClient, database: Database) -> None:
    replicas = ReplicaRepository(database)
    await replicas.join(ONE, "web", "1.2.3", Role.SCHEDULER)
    await replicas.beat(ONE, Vitals(preferred=7, in_flight=3, claims=2**40, skew=-0.0125))
    [told] = (await client.get("/v1/replicas")).json()["items"]
    assert set(told) == set(FIELDS.split())
    assert (told["id"], told["hostname"], told["version"], told["role"]) == (str(ONE), "web", "1.2.3", "scheduler")
    assert (told["entries_preferred"], told["runs_in_flight"], told["claims"]) == (7, 3, 2**40)
    assert (told["clock_skew_ms"], told["dead"]) == (-12.5, False)
    assert told["started_at"] <= told["heartbeat_at"]


async def test_two_replicas_with_one_hostname_are_two(client: AsyncClient, database: Database) -> None:
    for replica in (ONE, OTHER):
        await ReplicaRepository(database).join(replica, "web")
    told = (await client.get("/v1/replicas")).json()["items"]
    assert [(each["id"], each["hostname"]) for each in told] == [(str(OTHER), "web"), (str(ONE), "web")]


async def test_the_dead_are_told_apart(client: AsyncClient, database: Database) -> None:
    for replica in (ONE, OTHER):
        await ReplicaRepository(database).join(replica, "web")
    await ReplicaRepository(database).leave(ONE)
    for dead, expected in (("true", [ONE]), ("false", [OTHER])):
        told = (await client.get("/v1/replicas", params={"dead": dead})).json()["items"]
        assert [each["id"] for each in told] == [str(each) for each in expected]
        assert [each["dead"] for each in told] == [dead == "true"]


async def test_pages_lead_through_all_replicas(client: AsyncClient, database: Database) -> None:
    replicas = ReplicaRepository(database)
    for replica in (ONE, OTHER, THIRD):
        await replicas.join(replica, "web")
    async with database.begin() as connection:  # so that two have the same time
        await connection.exec_driver_sql("UPDATE replicas SET started_at = (SELECT min(started_at) FROM replicas)")
    found: list[str] = []
    url: str | None = "/v1/replicas?limit=1"
    while url is not None:
        answer = await client.get(url)
        found += [each["id"] for each in answer.json()["items"]]
        url = answer.links["next"]["url"] if "next" in answer.links else None
    assert found == [str(each) for each in (THIRD, OTHER, ONE)]


async def test_a_cursor_of_another_page_is_refused(client: AsyncClient) -> None:
    problem(await client.get("/v1/replicas", params={"cursor": "WyJyZXBsaWNhcyIsICIxIl0"}), 422, "invalid-cursor")


async def test_one_that_only_schedules_answers_probes_alone(services: Services) -> None:
    async with client_of(build_app(services, role=Role.SCHEDULER)) as client:
        assert (await client.get("/livez")).status_code == 200
        for path in ("/v1/jobs", "/docs", "/openapi.json"):
            assert (await client.get(path)).status_code == 404
