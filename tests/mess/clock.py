"""The database's clock, which can be put on while the server runs: libfaketime adds to what the kernel tells."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

_PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime")


class Clock:
    """Runs at the pace of the machine's clock, so far ahead of it (or behind) as a file says."""

    def __init__(self, folder: Path, start: datetime) -> None:
        self._file = folder / "offset"
        self._library = _find_library()
        self._offset = start - datetime.now(UTC)
        self._write()

    @property
    def environment(self) -> Mapping[str, str]:
        """For the process that is to have this clock. What it waits for is measured by the machine's own."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    @property
    def offset(self) -> float:
        """Seconds by which it is ahead of the machine's."""
        return self._offset.total_seconds()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def put_on(self, until: datetime) -> None:
        self._offset += until - self.now()
        self._write()

    def _write(self) -> None:
        """In one piece: it is read with each look at the clock."""
        written = self._file.with_suffix(".new")
        written.write_text(f"{self.offset:+.6f}\n")
        written.replace(self._file)


@contextmanager
def clock_from(start: datetime) -> Iterator[Clock]:
    with tempfile.TemporaryDirectory(prefix="cronledger-clock-") as folder:
        # The server runs as another user than root.
        os.chmod(folder, 0o755)  # noqa: S103, PTH101
        yield Clock(Path(folder), start)


def _find_library() -> Path:
    for place in _PLACES:
        for found in Path("/").glob(f"{place[1:]}/libfaketime.so.1"):
            return found
    raise SystemExit(
        "The mess needs libfaketime, which puts the database's clock on. On Debian: apt-get install libfaketime"
    )
