from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp

from tests.e2e.audited import api_tells_that_nothing_is_unaccounted
from tests.e2e.client import Api, assert_no_gap, eventually, instants, repeated
from tests.servers.nginx import running_nginx
from tests.servers.process import free_port
from tests.servers.replica import Replicas
from tests.servers.sink import Sink


async def test_replicas_behind_a_load_balancer_know_the_same_jobs_and_run_each_once(
    postgres_url: str, replicas: Replicas, sink: Sink
) -> None:
    pair = [await replicas.start(postgres_url), await replicas.start(postgres_url)]
    with running_nginx([replica.port for replica in pair]) as url:
        api = Api(url)
        each = [Api(replica.url) for replica in pair]
        await api.create("one", f"{sink.url}/one")
        await api.create("two", f"{sink.url}/two")
        for direct in each:
            await eventually(lambda direct=direct: knows(direct, {"one", "two"}), timeout=1)  # type: ignore[misc]
        await sink.wait_for(3, path="/one")
        await sink.wait_for(3, path="/two")
        await api.delete("one")
        await api.delete("two")
        for direct in each:
            await eventually(lambda direct=direct: knows(direct, set()), timeout=1)  # type: ignore[misc]
        for path in ("/one", "/two"):
            assert not repeated([call for call in sink.calls if call.path == path])
        assert_no_gap(instants([run for run in await api.runs() if run["job_name"] == "one"]))
        await api_tells_that_nothing_is_unaccounted(postgres_url, api)
        for opened in (api, *each):
            await opened.close()


async def knows(api: Api, names: set[str]) -> bool:
    return await api.entries() == names


async def test_nginx_goes_round_its_upstreams_and_past_one_that_is_gone() -> None:
    async with Sink() as one, Sink() as other:
        ports = [urlsplit(sink.url).port or 0 for sink in (one, other)]
        with running_nginx([*ports, free_port()]) as url:
            async with aiohttp.ClientSession(url) as client:
                for _ in range(9):
                    async with client.post("/v1/jobs", data=b"{}") as answer:
                        assert answer.status == 200
        assert one.calls
        assert other.calls
        assert one.calls[0].headers["Host"] == urlsplit(url).netloc
