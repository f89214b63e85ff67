"""Seeds that are run with the other tests, and those that failed once."""

from __future__ import annotations

SHORT = 1000
"""Steps; a day's work for fifty jobs."""

FAILED_ONCE = [
    (6, 3000),  # runs that two limits concern were sent from one queue into the other, and back
]
"""Each with so many steps. What failed at the time may not be what the seed leads to now."""
