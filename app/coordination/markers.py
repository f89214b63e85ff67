"""Markers of what runs and who is there, for others to see. Nobody here ever reads one: they decide nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from uuid import UUID

from app.coordination.commands import Command, hold, release
from app.coordination.names import Names
from app.domain.claim import Started


class Markers:
    """Those that this process may have set. What comes and goes between two looks is never marked."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._held: dict[str, str] = {}

    def commands(self, replica: UUID, running: Iterable[Started]) -> list[Command]:
        """Set and renew what there is now, delete what was there before. A marker that was flushed is set again."""
        held = {self._names.replica(replica): str(replica)}
        held |= {self._names.running(each.call.run_id): _token(replica, each) for each in running}
        gone = dict(self._held.items() - held.items())
        self._held = held
        return [*release(gone), *hold(held)]

    def farewell(self) -> list[Command]:
        gone, self._held = self._held, {}
        return release(gone)


def _token(replica: UUID, started: Started) -> str:
    """Of this start alone: the run's next one has another fence."""
    return json.dumps({"job": started.call.job_key, "replica": str(replica), "fence": started.fence})
