"""What the program itself saw: when it did what, by the database's clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from tests.mess.clock import Clock

# Later than any machine's clock: where a signal interrupts libfaketime, PostgreSQL is told the machine's time, and a
# timeout that is not due yet by the clock it was set by must not be over by the other.
EVENING, NIGHT = date(2037, 10, 24), date(2037, 10, 25)
_NOON = 12


def instant(text: str) -> datetime:
    """Of `HH:MM` or `HH:MM:SS` in UTC, in the night from the 24th to the 25th of October 2037."""
    clock = time.fromisoformat(text)
    return datetime.combine(EVENING if clock.hour >= _NOON else NIGHT, clock, UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """What was to happen at `plan` happened between the two others."""

    plan: datetime
    earliest: datetime
    latest: datetime


@dataclass
class Moments:
    clock: Clock
    seen: dict[str, Moment] = field(default_factory=dict)

    @contextmanager
    def mark(self, name: str, plan: str, *, before: float = 0) -> Iterator[None]:
        """It happens within the block, or so many seconds before it."""
        earliest = self.clock.now() - timedelta(seconds=before)
        yield
        self.seen[name] = Moment(instant(plan), earliest, self.clock.now())

    def get(self, name: str) -> Moment:
        """One that was marked, or an instant, which needs no mark."""
        if found := self.seen.get(name):
            return found
        exact = instant(name)
        return Moment(exact, exact, exact)
