"""Room for calls: so many at once, and so many of them to one host and port."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable


class CallSlots:
    """See `domain.claim.Slots`. `on_free` is called whenever a place becomes free."""

    def __init__(self, total: int, per_host: int, on_free: Callable[[], None]) -> None:
        self._total = total
        self._per_host = per_host
        self._on_free = on_free
        self._used: Counter[str] = Counter()
        self._in_use = 0
        self.closed = False

    @property
    def free(self) -> int:
        return 0 if self.closed else self._total - self._in_use

    def admit(self, host: str) -> bool:
        if self.free < 1 or self._used[host] >= self._per_host:
            return False
        self._used[host] += 1
        self._in_use += 1
        return True

    def release(self, host: str) -> None:
        self._used[host] -= 1
        if not self._used[host]:
            del self._used[host]
        self._in_use -= 1
        self._on_free()

    @property
    def spare(self) -> int:
        """How many are free for what is caught up or backfilled: a quarter of all is kept for what is due now."""
        return max(self.free - self._total // 4, 0)

    def spare_at(self, host: str) -> int:
        return max(self._per_host - self._used[host] - self._per_host // 4, 0)

    def crowded_hosts(self) -> list[str]:
        """Those that have none to spare."""
        return [host for host in self._used if not self.spare_at(host)]

    def is_full(self, host: str) -> bool:
        return self._used[host] >= self._per_host

    def full_hosts(self) -> list[str]:
        return [host for host, used in self._used.items() if used >= self._per_host]
