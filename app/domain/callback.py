"""Callbacks: a target that answered 202 says later what became of the attempt. It shows the token it was sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe


class Said(StrEnum):
    """What a callback says."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Report:
    """A callback. `error` is as in an Outcome: a line that begins with its kind, of a failure alone."""

    said: Said
    error: str | None = None
    result: str | None = None


def new_token() -> str:
    """256 random bits, as they stand in a path."""
    return token_urlsafe(32)


def digest(token: str) -> str:
    """What the ledger keeps of a token: nobody can call back who reads it there."""
    return sha256(token.encode(errors="surrogatepass")).hexdigest()


def opens(token: str, kept: str | None) -> bool:
    """Whether this is the token whose digest was kept; how long it takes tells nothing."""
    return kept is not None and compare_digest(digest(token), kept)


def waits_until(now: datetime, seconds: float, deadline_at: datetime | None) -> datetime:
    """When a run that has just been heard of is given up: in so long, or at its deadline."""
    until = now + timedelta(seconds=seconds)
    return until if deadline_at is None else min(until, deadline_at)
