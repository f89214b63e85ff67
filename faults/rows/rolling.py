"""F9: replicas restarted one by one behind nginx, under two hundred requests a second."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import httpx2

from faults.outcome import Outcome
from faults.world import World, world
from tests.servers.nginx import running_nginx
from tests.servers.replica import Replica

_RATE = 200
_CLIENTS = 10


async def restart(*, full: bool) -> Outcome:
    """Every replica once a round."""
    async with world() as scene:
        await scene.add_replicas(3)
        await scene.post_jobs("load", 20, path="/slow/300")
        with running_nginx([replica.port for replica in scene.replicas]) as url:
            asking = _Asking(url)
            task = asyncio.create_task(asking.go_on())
            await asyncio.sleep(1)
            statuses: Counter[int] = Counter()
            for _ in range(20 if full else 1):
                for replica in scene.replicas:
                    statuses[await _restart(scene, replica)] += 1
            await asyncio.sleep(1)
            asking.over = True
            await task
        outcome = Outcome.of(await scene.finish(), scene.marks, restarts=sum(statuses.values()))
        outcome.figures |= {"requests": sum(asking.answers.values()), "a_second": asking.rate()}
        errors = {status: count for status, count in asking.answers.items() if not status.startswith("2")}
        outcome.wrong += [f"{count} requests ended in {status}" for status, count in errors.items()]
        outcome.wrong += [
            f"{count} replicas ended with status {status}" for status, count in statuses.items() if status
        ]
        if asking.rate() < _RATE * 0.9:
            outcome.notes.append(f"{asking.rate()} requests a second were all that this machine had left")
        return outcome


async def _restart(scene: World, replica: Replica) -> int:
    scene.mark("restart")
    status = await replica.terminate()
    await scene.start(replica)
    return status


class _Asking:
    """Mostly reads, and now and then a job that is put."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._asked = 0
        self._since = time.monotonic()
        self.answers: Counter[str] = Counter()
        self.over = False

    def rate(self) -> int:
        return round(sum(self.answers.values()) / (time.monotonic() - self._since))

    async def go_on(self) -> None:
        self._since = time.monotonic()
        await asyncio.gather(*(self._client(number) for number in range(_CLIENTS)))

    async def _client(self, number: int) -> None:
        async with httpx2.AsyncClient(base_url=self._url, timeout=20) as client:
            while not self.over:
                self._asked += 1
                await asyncio.sleep(max(self._since + self._asked / _RATE - time.monotonic(), 0))
                await self._ask(client, f"asked-{number}", self._asked % 20)

    async def _ask(self, client: httpx2.AsyncClient, name: str, kind: int) -> None:
        try:
            if kind:
                answer = await client.get("/v1/jobs/load-1" if kind % 2 else "/v1/runs?limit=5")
            else:
                body = {"schedule": "0 0 1 1 *", "endpoint": "http://127.0.0.1:9/"}
                answer = await client.put(f"/v1/jobs/{name}", json=body)
            self.answers[str(answer.status_code)] += 1
        except httpx2.HTTPError as error:
            self.answers[repr(error)] += 1
