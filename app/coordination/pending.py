"""What is still to be told: once, however often it was said, and never more than a bounded amount of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from app.coordination.commands import Command, advance, publish
from app.coordination.names import Names

MOST = 1000
"""Changed jobs that are named. More of them are told as many."""

MOST_LAST_RUNS = 10_000


@dataclass(slots=True)
class Pending:
    """`changed` are ids of jobs, `many` that more of them have; `members` that a replica joined or left."""

    changed: set[int] = field(default_factory=set)
    many: bool = False
    members: bool = False
    last_runs: dict[str, datetime] = field(default_factory=dict)

    def add(self, other: Pending) -> None:
        self.changed |= other.changed
        self.many |= other.many or len(self.changed) > MOST
        if self.many:
            self.changed.clear()
        self.members |= other.members
        for job, at in other.last_runs.items():
            self.ran(job, at)

    def ran(self, job: str, at: datetime) -> None:
        """Where Redis is away for long, those that are beyond the bound are not told."""
        if job in self.last_runs:
            self.last_runs[job] = max(self.last_runs[job], at)
        elif len(self.last_runs) < MOST_LAST_RUNS:
            self.last_runs[job] = at

    def commands(self, names: Names) -> list[Command]:
        told: list[Command] = []
        if self.many or self.changed:
            told.append(publish(names.changes, sorted(self.changed)))
        if self.members:
            told.append(publish(names.members, ()))
        return told + advance({names.last_run(job): at for job, at in self.last_runs.items()})


def changes_in(message: str | None) -> list[int | None]:
    """The ids that were told; None where many jobs changed, or where nobody knows."""
    try:
        return [int(each) for each in message.split(",")] if message else [None]
    except ValueError:
        return [None]
