"""The command line, as an operator has it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from tests.servers.replica import ROOT


async def cronledger(url: str, *arguments: str, keys: str = "", told: str = "", status: int = 0) -> str:
    """What it printed on both outputs, having read `told`; `keys` are those that secrets are encrypted with."""
    environment = os.environ | {"CRONLEDGER_DATABASE_URL": url, "CRONLEDGER_SECRET_KEYS": keys}
    command = [sys.executable, "-m", "app", *arguments]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            input=told,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )

    done = await asyncio.to_thread(run)
    assert done.returncode == status, done.stdout
    return done.stdout.strip()
