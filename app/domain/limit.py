"""A limit that belongs to a key: all runs of all jobs that name the key share it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimit:
    """A row of `limits`; None is any number. `in_use` runs are being called, `waiting` ones are held up by it."""

    key: str
    max_concurrency: int | None
    rate_per_second: float | None
    in_use: int
    waiting: int
    created_at: datetime
    updated_at: datetime
