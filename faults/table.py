"""The rows of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from faults.outcome import Outcome
from faults.rows import clocks, crashes, database, deaths, listeners, load, network, redis, rolling, standby


class Form(Protocol):
    async def __call__(self, *, full: bool) -> Outcome:
        """In its full form, or in short."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """What loads the machine, asks it for a rate, or is bound to a few seconds, is run alone."""

    name: str
    fault: str
    run: Form
    alone: bool = False


TABLE = [
    Entry("F1", "none: 3 replicas under load", load.nothing, alone=True),
    Entry("F2", "kill -9 a replica every 5 s", crashes.killed),
    Entry("F3", "PostgreSQL restarted, fast and immediate", database.restarted),
    Entry("F4", "network to PostgreSQL cut, one way and both, and slow by 5 s", network.cut),
    Entry("F5", "SIGSTOP for over three leases, then SIGCONT", crashes.frozen),
    Entry("F6", "PostgreSQL's clock off by 300 s, one replica's stepped by an hour", clocks.wrong),
    Entry("F7", "killed at each point between claim, call and record", deaths.at_each_point),
    Entry("F8", "listeners ended under changes by the API", listeners.ended, alone=True),
    Entry("F9", "rolling restart behind nginx at 200 requests a second", rolling.restart, alone=True),
    Entry("F10", "all replicas down for three hours", clocks.outage),
    Entry("F11", "standby promoted, synchronous replication", standby.promoted),
    Entry("F12", "Redis killed, flushed, and slow by 5 s", redis.broken),
    Entry("F13", "disk full on PostgreSQL's volume, then freed", database.full_disk),
    Entry("F14", "targets that hang, reset and drip, under load", load.bad_targets, alone=True),
]
