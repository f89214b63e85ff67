"""The course of the night: what is done to the service, and when."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from tests.e2e.client import Api, eventually
from tests.mess.jobs import JOBS, STORMS
from tests.mess.moments import Moments, instant
from tests.mess.target import Target
from tests.servers.postgres import plain_dsn
from tests.servers.replica import Replica

_LEASE = 570
"""Seconds. It ends within the outage, so that what the killed replica held is taken over."""

_STEP = timedelta(seconds=500)
"""The clock is put on by less than a lease beneath replicas that are alive, so that they stay so."""

_AHEAD = timedelta(seconds=5)
"""So long before an instant that is due the clock is put on for the last time: it comes in real time."""

_PATIENCE = 45
"""Seconds for a replica to start in: as many are left of the grace of what was due last."""

_SETTINGS = {"LEASE_SECONDS": str(_LEASE), "POLL_SECONDS": "1"}
_CLOSE = 0.5
_SKEW = re.compile(r"^cronledger_clock_skew_seconds (\S+)$", re.MULTILINE)


class Night:
    """Two replicas on one database, whose clock is `moments.clock`."""

    def __init__(self, database_url: str, target: Target, moments: Moments) -> None:
        self._url = database_url
        self._target = target
        self._moments = moments
        self._clock = moments.clock
        self._replicas = [Replica(database_url, _SETTINGS) for _ in range(2)]
        self._apis = [Api(replica.url) for replica in self._replicas]

    async def close(self) -> None:
        await asyncio.gather(*(replica.kill() for replica in self._replicas), *(api.close() for api in self._apis))

    async def pass_by(self) -> None:
        await self._begin()
        await self._excluded_day()
        await self._overlap_and_pause_and_change()
        await self._retry_storm()
        await self._outage()
        await self._clock_change()

    async def ask(self, job: str, at: str) -> list[dict[str, Any]]:
        """What both replicas say of it, which must be the same."""
        said = [await api.get(f"/v1/jobs/{job}/explain", at=at, limit=500) for api in self._apis]
        assert said[0] == said[1], f"of {job} at {at} one replica says {said[0]}, the other {said[1]}"
        assert said[0]["next_cursor"] is None
        items: list[dict[str, Any]] = said[0]["items"]
        return items

    async def _begin(self) -> None:
        for replica in self._replicas:
            await replica.start(timeout=_PATIENCE)
        await self._put_on(instant("23:50"))
        with self._moments.mark("created", "23:50"):
            for name, job in JOBS.items():
                await self._apis[0].create(name, f"{self._target.url}/{name}", **job)

    async def _excluded_day(self) -> None:
        await self._reach("23:55")
        await self._until("23:55:01")
        await self._called("books", "00:05")

    async def _overlap_and_pause_and_change(self) -> None:
        """Twenty seconds without a step: a call's length is measured by the replica's own clock."""
        self._target.hang("skip", "queue")
        for job in ("skip", "queue", "move", "change"):
            await self._called(job, "00:10")
        with self._moments.mark("paused", "00:10"):
            await self._api.post("/v1/jobs/move/pause", {"note": "moving house"})
        await self._comes("change", "00:10:10")
        with self._moments.mark("changed", "00:10:10"):
            await self._api.request("PATCH", "/v1/jobs/change", json={"schedule": "10,18 10 0 * * *"})
        await self._until("00:10:12")
        with self._moments.mark("resumed", "00:10:12"):
            await self._api.post("/v1/jobs/move/resume")
        with self._moments.mark("released", "00:10:12"):
            self._target.release("skip", "queue")
            await self._target.wait_for("queue", instant("00:10:05"))
        for job in ("skip", "queue", "move"):
            await self._comes(job, "00:10:15")
        await self._comes("change", "00:10:18")

    async def _retry_storm(self) -> None:
        storm = ("brief", *STORMS)
        self._target.fail(*storm)
        for job in storm:
            await self._called(job, "00:20")
        for job in storm:
            await self._comes(job, "00:20", 2)
        await self._comes("brief", "00:20:12")
        await self._until("00:20:16")
        self._target.recover(*storm)
        with self._moments.mark("third", "00:20:20"):
            for job in STORMS:
                await self._comes(job, "00:20", 3)
        with self._moments.mark("brief again", "00:20:22"):
            await self._comes("brief", "00:20:12", 2)
        for job in storm:
            await self._comes(job, "00:20:24")

    async def _outage(self) -> None:
        """The replica that calls `import` is killed, the other one is told to go."""
        self._target.hang("import")
        await self._called("import", "00:30")
        for job in ("latest", "all", "none", "away", "first", "both", "hourly"):
            await self._comes(job, "00:30")
        await eventually(self._one_runs)
        with self._moments.mark("away", "00:30"):
            await self._api.post("/v1/jobs/away/pause", {"note": "nobody is in"})
        holder = await self._holder()
        with self._moments.mark("down", "00:30", before=3):
            await self._replicas[holder].kill()
            await self._replicas[1 - holder].terminate()
        # Nobody hears this answer.
        self._target.release("import")
        self._target.hang("latest", "all")
        self._clock.put_on(instant("00:40:10"))
        with self._moments.mark("up", "00:40:10"):
            await asyncio.gather(*(replica.start(timeout=_PATIENCE) for replica in self._replicas))
        with self._moments.mark("caught up", "00:40:12", before=15):
            await self._target.wait_for("import", instant("00:30"), 2)
            await self._catch_up("latest", "00:40", "00:39")
            await self._catch_up("all", "00:40", "00:36", "00:37", "00:38", "00:39")
        await self._put_on(instant("00:40:50"))
        with self._moments.mark("back", "00:40:50"):
            await self._api.post("/v1/jobs/away/resume")
        for job in ("away", "latest", "all", "none"):
            await self._called(job, "00:41")

    async def _clock_change(self) -> None:
        for job in ("hourly", "last", "both"):
            await self._called(job, "01:30")
        await self._until("01:30:03")

    async def _catch_up(self, job: str, *instants: str) -> None:
        """One after the other: each is answered when the next one is known to wait for it."""
        for at in instants:
            await self._comes(job, at)
            await eventually(lambda: self._wait_behind(job))
            self._target.answer(job)
        self._target.release(job)

    async def _wait_behind(self, job: str) -> bool:
        pending = [run for run in await self._api.runs(state="pending") if run["job_name"] == job]
        return all((run["waiting_for"] or "").startswith("job ") for run in pending)

    @property
    def _api(self) -> Api:
        return self._apis[0]

    async def _called(self, job: str, at: str) -> None:
        """The instant comes, and with it the call."""
        await self._reach(at)
        await self._comes(job, at)

    async def _comes(self, job: str, at: str, attempt: int = 1) -> None:
        """In real time."""
        await self._target.wait_for(job, instant(at), attempt)

    async def _reach(self, due: str) -> None:
        """Put the clock on till shortly before the instant, unless that is over."""
        if instant(due) - _AHEAD > self._clock.now():
            await self._put_on(instant(due) - _AHEAD)

    async def _put_on(self, until: datetime) -> None:
        """Step by step; at the end both replicas have looked at the clock."""
        while self._clock.now() < until:
            self._clock.put_on(min(until, self._clock.now() + _STEP))
            await self._beaten(self._clock.now())
        await eventually(self._looked)

    async def _beaten(self, since: datetime) -> None:
        alive = "SELECT count(*) = 2 AS both FROM replicas WHERE NOT dead AND heartbeat >= $1"

        async def both() -> bool:
            return bool((await self._select(alive, since))[0]["both"])

        await eventually(both)

    async def _looked(self) -> bool:
        for api in self._apis:
            found = _SKEW.search((await api.request("GET", "/metrics")).text)
            if found is None or abs(float(found[1]) - self._clock.offset) > _CLOSE:
                return False
        return True

    async def _until(self, at: str) -> None:
        """In real time."""

        async def come() -> bool:
            return self._clock.now() >= instant(at)

        await eventually(come)

    async def _one_runs(self) -> bool:
        return len(await self._api.runs(state="running")) == 1

    async def _holder(self) -> int:
        """Which of the replicas has the one call that is under way; they were started one after the other."""
        [run] = await self._api.runs(state="running")
        started = [str(row["id"]) for row in await self._select("SELECT id FROM replicas ORDER BY started_at")]
        return started.index(run["replica"])

    async def _select(self, query: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(plain_dsn(self._url))
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()
