"""What is said to Redis. A marker belongs to whoever's token it holds: that is compared in Redis, in one step."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

Command = tuple[str | int, ...]

MARKED_FOR = timedelta(seconds=10)
"""A marker that is not renewed for so long is gone: its replica is, or can't reach Redis."""

LAST_RUN_KEPT = timedelta(days=30)

_HOLD = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_ADVANCE = """
local known = redis.call('GET', KEYS[1])
if known and known >= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
"""Instants of one form sort as text: a slow run that began earlier doesn't write over a later one."""


def hold(key: str, token: str) -> Command:
    """Set the marker, or renew it; answers 0 where it is another's."""
    return "EVAL", _HOLD, 1, key, token, round(MARKED_FOR.total_seconds() * 1000)


def release(key: str, token: str) -> Command:
    """Delete the marker; answers 0 where it is another's, or gone."""
    return "EVAL", _RELEASE, 1, key, token


def advance(key: str, at: datetime) -> Command:
    """Remember the instant, unless a later one is known."""
    told = at.astimezone(UTC).isoformat(timespec="microseconds")
    return "EVAL", _ADVANCE, 1, key, told, round(LAST_RUN_KEPT.total_seconds())


def publish(channel: str, ids: Iterable[object]) -> Command:
    return "PUBLISH", channel, ",".join(str(each) for each in ids)
