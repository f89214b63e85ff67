"""How many requests one address, or one key, may send to this replica: a token bucket for each.

Of its own: the libraries there are walk over all buckets at each request, or need a store to share them.
"""

from __future__ import annotations

from collections import OrderedDict

from app.domain.clock import Clock

BURST_SECONDS = 2.0
"""After a pause as many as in so many seconds may come at once."""
_MOST = 10_000


class Buckets:
    """`rate` a second; 0 is any number. Who has not been seen for the longest is forgotten first."""

    def __init__(self, rate: float, clock: Clock, most: int = _MOST) -> None:
        self.rate = rate
        self._clock = clock
        self._most = most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, who: str, rate: float | None = None) -> float:
        """Take one token, or say in how many seconds there is one; 0 where it was taken. `rate` is their own."""
        rate = self.rate if rate is None else rate
        if not rate:
            return 0.0
        now, full = self._clock.monotonic(), max(rate * BURST_SECONDS, 1.0)
        left, at = self._left.get(who, (full, now))
        left = min(left + (now - at) * rate, full)
        taken = left >= 1
        self._left[who] = (left - 1 if taken else left), now
        self._left.move_to_end(who)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return 0.0 if taken else (1 - left) / rate
