"""When replicas were alive, and when none was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Presence:
    """One replica, from its start to its last sign of life; None while it is alive."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Outage:
    """Nobody was alive from `start`, None where nobody is on record before, to `end`, None where it goes on."""

    start: datetime | None
    end: datetime | None


def outages(presences: Iterable[Presence]) -> list[Outage]:
    """The holes between them, oldest first; the first and the last may be without an end."""
    found: list[Outage] = []
    seen: datetime | None = None
    for each in sorted(presences, key=lambda each: each.start):
        if seen is None:
            found.append(Outage(None, each.start))
        elif each.start > seen:
            found.append(Outage(seen, each.start))
        if each.end is None:
            return found
        seen = each.end if seen is None else max(seen, each.end)
    return [*found, Outage(seen, None)]


def outage_in(holes: Iterable[Outage], start: datetime, end: datetime) -> Outage | None:
    """The longest of the holes, as far as it lies within [start, end]."""
    within = [
        (min(hole.end or end, end) - max(hole.start or start, start), hole)
        for hole in holes
        if (hole.end is None or hole.end > start) and (hole.start is None or hole.start < end)
    ]
    return max(within, key=lambda each: each[0])[1] if within else None
