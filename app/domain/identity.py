"""A run's id is computed, not drawn: whoever claims an occurrence arrives at the same one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)


def occurrence_id(job_id: UUID, occurrence: datetime) -> UUID:
    """The id of the run of one occurrence."""
    micros = (occurrence - _EPOCH) // _MICROSECOND
    return _uuid8(occurrence, job_id.bytes + micros.to_bytes(8, "big", signed=True))


def created_id(created_at: datetime, nonce: bytes) -> UUID:
    """The id of a run that stands for no occurrence: a manual one. `nonce` is random, or the caller's own key."""
    return _uuid8(created_at, nonce)


def first_id(at: datetime) -> UUID:
    """No run that stands in the ledger at `at` or later has a lesser id; of what is before 1970 none has any."""
    return UUID(int=max((at - _EPOCH) // _MILLISECOND, 0) << 80)


def backfilled_id(backfill_id: UUID, created_at: datetime, occurrence: datetime) -> UUID:
    """The id of the run that a backfill makes for one occurrence: the same however often it is asked for."""
    micros = (occurrence - _EPOCH) // _MICROSECOND
    return created_id(created_at, backfill_id.bytes + micros.to_bytes(8, "big", signed=True))


def id_range(first: datetime, last: datetime) -> tuple[UUID, UUID]:
    """Ids between which lie those of all runs whose `ledger_at` is in [first, last]."""
    low, high = ((at - _EPOCH) // _MILLISECOND for at in (first, last))
    return UUID(int=low << 80), UUID(int=((high + 1) << 80) - 1)


def ledger_window(run_id: UUID) -> tuple[datetime, datetime]:
    """The millisecond [from, until) in which the run's `ledger_at` lies; it names the partition."""
    start = _EPOCH + (run_id.int >> 80) * _MILLISECOND
    return start, start + _MILLISECOND


def _uuid8(at: datetime, seed: bytes) -> UUID:
    """RFC 9562, 5.8: 48 bits of time first, so that ids sort by it, then bits of our own."""
    millis = (at - _EPOCH) // _MILLISECOND
    bits = int.from_bytes(blake2b(seed, digest_size=10).digest(), "big")
    custom_a, custom_b = bits >> 68, bits & ((1 << 62) - 1)
    return UUID(int=millis << 80 | 0x8 << 76 | custom_a << 64 | 0b10 << 62 | custom_b)
