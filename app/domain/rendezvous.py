"""Rendezvous hashing: each replica ranks all replicas for a job alike, and one more or less moves only its share."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

_BITS = (1 << 64) - 1


def first_for(job: UUID, replicas: Iterable[UUID]) -> UUID:
    """Who is to try the job first. Raises ValueError where there is no replica."""
    return max(replicas, key=lambda replica: (_weight(job.int ^ replica.int), replica))


def _weight(value: int) -> int:
    """The last steps of splitmix64 (Steele, Lea and Flood, 2014) over both halves: every bit concerns every other."""
    value = (value ^ (value >> 64)) & _BITS
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _BITS
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _BITS
    return value ^ (value >> 31)
