from __future__ import annotations

from tests.e2e.test_events import kill_while_streaming
from tests.servers.nginx import running_nginx
from tests.servers.replica import Replicas
from tests.servers.sink import Sink


async def test_streams_through_the_load_balancer_outlive_a_replica_without_a_gap(
    postgres_url: str, replicas: Replicas, sink: Sink
) -> None:
    """It goes round: of four streams some are on either replica."""
    settings = {"LEASE_SECONDS": "2"}
    one, other = await replicas.start(postgres_url, settings), await replicas.start(postgres_url, settings)
    with running_nginx([one.port, other.port]) as url:
        await kill_while_streaming(postgres_url, url, one, other, sink, followers=4)
