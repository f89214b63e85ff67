"""What may come between a transaction and the replica that made it."""

from __future__ import annotations

from enum import Enum, auto
from random import Random


class Fate(Enum):
    """How a replica fares at a commit."""

    FINE = auto()
    UNSENT = auto()
    """It fails, and nothing is committed."""
    UNHEARD = auto()
    """It is committed, and an error is all that comes back."""
    LATE = auto()
    """It is committed, and the answer comes after other steps."""
    FREEZE = auto()
    """It is committed, and the process stands still before it hears of it, maybe for longer than its lease."""
    CRASH = auto()
    """It is committed, and the process dies before it hears of it."""


_ODDS = {Fate.FINE: 900, Fate.UNSENT: 15, Fate.UNHEARD: 25, Fate.LATE: 40, Fate.FREEZE: 8, Fate.CRASH: 12}


def draw(rng: Random) -> Fate:
    return rng.choices(list(_ODDS), list(_ODDS.values()))[0]
