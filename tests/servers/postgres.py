"""PostgreSQL for tests: a server of our own (`running_postgres`) or a given one, and databases on it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from tests.servers.postgres_binaries import find_binaries, reachable
from tests.servers.process import Process, free_port, unprivileged_user

ROOM = 1 << 30
"""Free bytes from which the data is kept in memory: a database from a template costs 15 ms there, on a disk 25-350."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
}
QUICK = SETTINGS | {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class PostgresServer:
    """Databases on the server that `url` leads to, as a user who may create them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._kept: _Administrator | None = None

    @contextmanager
    def connected(self) -> Iterator[Self]:
        """With a connection that is kept, for many databases."""
        with closing(_Administrator(self.url)) as self._kept:
            yield self
        self._kept = None

    def create_database(self, template: str | None = None) -> str:
        """The URL of a new database, a copy of the template (a URL too, to which nobody is connected)."""
        name = f"cronledger_test_{uuid4().hex}"
        copied = f' TEMPLATE "{_name(template)}"' if template else ""
        self._execute(f'CREATE DATABASE "{name}"{copied}')
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def drop_database(self, url: str) -> None:
        """Drop it, whoever is still connected."""
        self._execute(f'DROP DATABASE IF EXISTS "{_name(url)}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        if self._kept is not None:
            self._kept.execute(statement)
            return
        with closing(_Administrator(self.url)) as administrator:
            administrator.execute(statement)


class _Administrator:
    """A connection in a thread of its own, so that a test may call this while its loop runs."""

    def __init__(self, url: str) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._runner = asyncio.Runner()
        self._connection = self._run(asyncpg.connect(plain_dsn(url)))

    def execute(self, statement: str) -> None:
        self._run(self._connection.execute(statement))

    def close(self) -> None:
        self._run(self._connection.close())
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def _run(self, doing: Awaitable[Any]) -> Any:
        async def done() -> Any:
            return await doing

        return self._thread.submit(self._runner.run, done()).result()


class PostgresProcess:
    """A cluster in a folder of its own; it can be stopped or killed, and started again on the same port.

    `within` are the words before the command, where it is to run in a network namespace, which takes root; it listens
    on all addresses there, and `host` is the one by which it is asked.
    """

    def __init__(
        self,
        folder: Path,
        binaries: Path | None = None,
        settings: Mapping[str, str] = QUICK,
        environment: Mapping[str, str] | None = None,
        *,
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
    ) -> None:
        self._folder = folder
        self._host = host
        self._within = list(within)
        self._settings = {**settings, "listen_addresses": "*"} if within else settings
        self._user = unprivileged_user()
        if self._user is not None:
            os.chown(folder, self._user, self._user)
        self._binaries = reachable(binaries or find_binaries(), folder, self._user)
        self._port = free_port()
        self._environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"} | dict(environment or {})
        self._process: Process | None = None
        self._initialise()

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://postgres@{self._host}:{self._port}/postgres"

    @property
    def process(self) -> Process:
        assert self._process is not None, "start() comes first"
        return self._process

    def start(self) -> None:
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        self._process = self._run("postgres", f"--port={self._port}", *settings)
        self._process.wait_for_line("ready to accept connections")

    def stop(self) -> None:
        """PostgreSQL's fast shutdown: open transactions are rolled back."""
        self.process.stop(signal.SIGINT)

    def _initialise(self) -> None:
        made = self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        if made.wait() != 0:
            raise made.failure("failed")
        if self._within:
            with (self._folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write("host all all samenet trust\n")

    def _run(self, program: str, *arguments: str) -> Process:
        argv = [f"{self._binaries}/{program}", "-D", f"{self._folder}/data", *arguments]
        user = self._user
        if self._within:  # only root may enter it
            become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
            argv, user = [*self._within, *become, *argv], None
        return Process(argv, cwd=self._folder, env=self._environment, user=user)


@contextmanager
def running_postgres(
    binaries: Path | None = None,
    durable: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    host: str = "127.0.0.1",
    within: Sequence[str] = (),
) -> Iterator[PostgresProcess]:
    """A server of our own; as root it runs as an unprivileged user.

    It is quick, in memory where there is room, unless `durable` gives it settings beside PostgreSQL's own.
    `environment` is added to the little that it runs with; `host` and `within` are PostgresProcess's.
    """
    quick = durable is None
    folder = Path(tempfile.mkdtemp(prefix="cronledger-postgres-", dir=quick_folder() if quick else None))
    try:
        settings = QUICK if durable is None else {**SETTINGS, **durable}
        server = PostgresProcess(folder, binaries, settings, environment, host=host, within=within)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def plain_dsn(url: str) -> str:
    """The URL as asyncpg itself takes it."""
    return url.replace("+asyncpg", "", 1)


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def quick_folder() -> Path | None:
    memory = Path("/dev/shm")  # noqa: S108 (mkdtemp makes a private folder in it)
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > ROOM else None
