"""MariaDB for tests: a server of our own (`running_mariadb`) or a given one, and databases on it."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncmy

from tests.servers.postgres import quick_folder
from tests.servers.process import Process, free_port, unprivileged_user

SETTINGS = {
    "bind-address": "127.0.0.1",
    "innodb-log-file-size": "256M",
    "max-connections": "200",
    "skip-name-resolve": "1",
}
_PATH = os.pathsep.join((os.defpath, "/usr/sbin", "/usr/local/sbin"))
_ROWS = ("alembic_version", "event_order", "scheduler_switch", "cronledger_schema", "namespaces")
"""Tables in which a migrated database has rows."""


class MariadbServer:
    """Databases on the server that `url` leads to, as a user who may create them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._copies: dict[str, list[str]] = {}

    def create_database(self, template: str | None = None) -> str:
        """The URL of a new database, a copy of the template (a URL too, of a migrated one that stays as it is)."""
        name = f"cronledger_test_{uuid4().hex}"
        if template is not None and template not in self._copies:
            self._copies[template] = self._run(_dump(template))
        statements = self._copies[template] if template else []
        self._run(execute(self.url, f"CREATE DATABASE {name}", f"USE {name}", *statements))
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def drop_database(self, url: str) -> None:
        self._run(execute(self.url, f"DROP DATABASE IF EXISTS {_name(url)}"))

    def _run(self, work: Any) -> list[Any]:
        # In a thread of its own, so that a test may call this while its loop runs.
        with ThreadPoolExecutor(1) as thread:
            return list(thread.submit(asyncio.run, work).result())


class MariadbProcess:
    """A server in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._user = unprivileged_user()
        if self._user is not None:
            os.chown(folder, self._user, self._user)
        self._port = free_port()
        self._process: Process | None = None
        made = self._run("mariadb-install-db", "--auth-root-authentication-method=normal", "--skip-test-db")
        if made.wait(timeout=60) != 0:
            raise made.failure("failed")

    @property
    def url(self) -> str:
        return f"mariadb://root@127.0.0.1:{self._port}/mysql"

    @property
    def process(self) -> Process:
        assert self._process is not None, "start() comes first"
        return self._process

    def start(self) -> None:
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        self._process = self._run("mariadbd", f"--port={self._port}", f"--socket={self._folder}/socket", *settings)
        self._process.wait_for_line("ready for connections", timeout=60)

    def _run(self, program: str, *arguments: str) -> Process:
        found = shutil.which(program, path=_PATH)
        assert found is not None, f"{program} is missing: apt-get install mariadb-server"
        # A server that starts clears its temporary folder, of whoever else has something there.
        argv = [found, "--no-defaults", f"--datadir={self._folder}/data", f"--tmpdir={self._folder}", *arguments]
        return Process(argv, cwd=self._folder, env={"PATH": _PATH, "LC_ALL": "C", "TZ": "UTC"}, user=self._user)


@contextmanager
def running_mariadb() -> Iterator[MariadbProcess]:
    """A server of our own, in memory where there is room; as root it runs as an unprivileged user."""
    folder = Path(tempfile.mkdtemp(prefix="cronledger-mariadb-", dir=quick_folder()))
    try:
        server = MariadbProcess(folder)
        server.start()
        try:
            yield server
        finally:
            server.process.kill()  # nothing of it is kept
    finally:
        shutil.rmtree(folder)


def arguments(url: str) -> dict[str, Any]:
    """The URL as the driver takes it."""
    parts = urlsplit(url)
    return {
        "host": parts.hostname,
        "port": parts.port or 3306,
        "user": parts.username or "",
        "password": parts.password or "",
        "database": _name(url) or None,
        "autocommit": True,
    }


async def execute(url: str, *statements: str) -> Sequence[Sequence[Any]]:
    """The rows of the last of them."""
    connection = await asyncmy.connect(**arguments(url))
    try:
        async with connection.cursor() as cursor:
            for statement in statements:
                await cursor.execute(statement)
            return list(await cursor.fetchall())
    finally:
        await connection.ensure_closed()


async def _dump(url: str) -> list[str]:
    """The statements that make a copy."""
    tables = [name for (name,) in await execute(url, "SHOW TABLES")]
    triggers = [row[0] for row in await execute(url, "SHOW TRIGGERS")]
    made = [(await execute(url, f"SHOW CREATE TABLE {name}"))[0][1] for name in tables]
    rows = [f"INSERT INTO {name} SELECT * FROM {_name(url)}.{name}" for name in _ROWS]  # noqa: S608  # names of ours
    return made + rows + [(await execute(url, f"SHOW CREATE TRIGGER {name}"))[0][2] for name in triggers]


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")
