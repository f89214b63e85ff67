"""The sink's process, as the program sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from uuid import UUID

from faults.facts import Call


class Target:
    """See `faults/sink.py`. `calls` ends it, and can be asked again."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        self._calls: list[Call] | None = None

    def calls(self) -> list[Call]:
        if self._calls is None:
            output, _ = self._process.communicate()
            self._calls = [_call(*json.loads(line)) for line in output.splitlines()]
        return self._calls

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def _call(at: float, key: str, attempt: int, scheduled_for: str, trigger: str) -> Call:
    return Call(at, UUID(key), attempt, datetime.fromisoformat(scheduled_for), trigger)
