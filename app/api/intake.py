"""How much is taken in, and from whom."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Rates are requests a second, 0 is any number. Pages of `origins` may call from a browser."""

    metrics_open: bool = True
    rate_per_address: float = 0
    rate_per_key: float = 0
    origins: tuple[str, ...] = ()


ANYTHING = Intake()
