"""`cronledger serve` as a process of its own."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.servers.process import Process, free_port

ROOT = Path(__file__).parents[2]


class Replica:
    """`settings` are those of the service without their prefix: `{"LEASE_SECONDS": "2"}`.

    `environment` is added as it stands, and `module` has the command line.
    """

    def __init__(
        self,
        database_url: str,
        settings: Mapping[str, str] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        module: str = "app",
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        told = {"DATABASE_URL": database_url, "PORT": str(self.port), "TARGETS": "any"} | dict(settings or {})
        self._module = module
        self._environment = os.environ | {f"CRONLEDGER_{name}": value for name, value in told.items()}
        self._environment |= environment or {}
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        assert self._process is not None, "start() comes first"
        return self._process

    async def start(self, *, timeout: float = 15) -> None:
        """Start it, and return when it is ready. Raises AssertionError with its output when it does not get there."""
        await self.launch()
        await asyncio.to_thread(self._wait_until_ready, timeout)

    async def launch(self) -> None:
        """Start it, whether or not it gets ready."""
        self._process = await asyncio.to_thread(self._spawn)

    async def terminate(self, *, timeout: float = 35) -> int:
        """The exit status after a SIGTERM."""
        return await asyncio.to_thread(self.process.stop, timeout=timeout)

    async def kill(self) -> None:
        if self._process is not None:
            await asyncio.to_thread(self._process.kill)

    def freeze(self) -> None:
        """Stop it in its tracks, as a suspended machine does, until `thaw`."""
        self.process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send(signal.SIGCONT)

    def _spawn(self) -> Process:
        return Process([sys.executable, "-m", self._module, "serve"], cwd=ROOT, env=self._environment)

    def _wait_until_ready(self, timeout: float) -> None:
        until = time.monotonic() + timeout
        while not self._ready():
            if not self.process.running or time.monotonic() > until:
                raise self.process.failure(f"was not ready within {timeout:g} s")
            self.process.wait_for_output(timeout=0.05)

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            with connection.getresponse() as response:
                return response.status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()


class Replicas:
    """Replicas started one by one; `close` kills those that still run."""

    def __init__(self) -> None:
        self._started: list[Replica] = []

    async def start(self, database_url: str, settings: Mapping[str, str] | None = None) -> Replica:
        replica = Replica(database_url, settings)
        self._started.append(replica)
        await replica.start()
        return replica

    async def close(self) -> None:
        await asyncio.gather(*(replica.kill() for replica in self._started))
