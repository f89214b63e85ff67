"""A backup is restored, and nothing is called that was called before: real processes on a copied file."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.client import Api
from tests.servers.process import Process
from tests.servers.replica import ROOT, Replicas
from tests.servers.sink import Sink

SECONDLY = "* * * * * *"


def recover(url: str, until: str) -> Process:
    environment = os.environ | {"CRONLEDGER_DATABASE_URL": url, "CRONLEDGER_LEASE_SECONDS": "2"}
    return Process([sys.executable, "-m", "app", "recover", "--not-before", until], cwd=ROOT, env=environment)


def restore(backup: Path, live: Path) -> None:
    for old in live.parent.glob(f"{live.name}*"):
        old.unlink()
    shutil.copy(backup, live)


async def test_what_ran_between_the_backup_and_the_loss_is_not_called_again(
    sqlite_url: str, tmp_path: Path, replicas: Replicas, sink: Sink
) -> None:
    live, backup = tmp_path / "cronledger.db", tmp_path / "backup.db"
    settings = {"LEASE_SECONDS": "2"}
    first = await replicas.start(sqlite_url, settings)
    api = Api(first.url)
    await api.create("secondly", f"{sink.url}/ok", SECONDLY)
    await sink.wait_for(2)
    await first.terminate()
    shutil.copy(live, backup)

    second = await replicas.start(sqlite_url, settings)
    refused = await asyncio.to_thread(recover, sqlite_url, "2026-01-01T00:00:00Z")
    assert await asyncio.to_thread(refused.wait) == 1
    assert "A replica is alive" in refused.output
    before = len(sink.calls)
    await sink.wait_for(before + 3)
    await second.terminate()
    await api.close()
    lost_at = datetime.now(UTC)
    called = {call.headers["Idempotency-Key"] for call in sink.calls}

    restore(backup, live)
    done = await asyncio.to_thread(recover, sqlite_url, lost_at.isoformat())
    assert await asyncio.to_thread(done.wait) == 0, done.output
    assert "jobs that go on after it:              1" in done.output

    third = await replicas.start(sqlite_url, settings)
    await sink.wait_for(len(called) + 2)
    api = Api(third.url)
    runs = {run["id"]: run for run in await api.runs()}
    await third.terminate()
    await api.close()
    calls = Counter(call.headers["Idempotency-Key"] for call in sink.calls)
    assert set(calls.values()) == {1}
    restored = [run for run in runs.values() if run["reason"] == "restored"]
    assert {run["state"] for run in restored} == {"missed"}
    assert len(called & {run["id"] for run in restored}) >= 3
    assert all(datetime.fromisoformat(run["scheduled_for"]) <= lost_at for run in restored)
    assert called <= set(runs)


async def test_an_instant_that_cannot_be_read_is_refused(sqlite_url: str) -> None:
    for text, said in (
        ("yesterday", "RFC 3339"),
        ("2027-01-01T09:00:00", "offset"),
        ("2090-01-01T00:00:00Z", "to come"),
    ):
        refused = await asyncio.to_thread(recover, sqlite_url, text)
        assert await asyncio.to_thread(refused.wait) == 1
        assert said in refused.output, refused.output
