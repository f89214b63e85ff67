"""What is said to Redis. A marker belongs to whoever's token it holds: that is compared in Redis, in one step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

Command = tuple[str | int, ...]

MARKED_FOR = timedelta(seconds=10)
"""A marker that is not renewed for so long is gone: its replica is, or can't reach Redis."""

LAST_RUN_KEPT = timedelta(days=30)

_BATCH = 500

_HOLD = """
local held = 0
for index, key in ipairs(KEYS) do
    local token = ARGV[index + 1]
    if redis.call('SET', key, token, 'NX', 'PX', ARGV[1]) then
        held = held + 1
    elseif redis.call('GET', key) == token then
        held = held + redis.call('PEXPIRE', key, ARGV[1])
    end
end
return held
"""
_RELEASE = """
local released = 0
for index, key in ipairs(KEYS) do
    if redis.call('GET', key) == ARGV[index] then released = released + redis.call('DEL', key) end
end
return released
"""
_ADVANCE = """
for index, key in ipairs(KEYS) do
    local known = redis.call('GET', key)
    if not known or known < ARGV[index + 1] then redis.call('SET', key, ARGV[index + 1], 'EX', ARGV[1]) end
end
"""
"""Instants of one form sort as text: a slow run that began earlier doesn't write over a later one."""


def hold(markers: Mapping[str, str]) -> list[Command]:
    """Set each key to its token, or renew it; the answer counts those that are not another's."""
    lasts = round(MARKED_FOR.total_seconds() * 1000)
    return [("EVAL", _HOLD, len(some), *some, lasts, *some.values()) for some in _batches(markers)]


def release(markers: Mapping[str, str]) -> list[Command]:
    """Delete each key that holds its token; the answer counts them."""
    return [("EVAL", _RELEASE, len(some), *some, *some.values()) for some in _batches(markers)]


def advance(instants: Mapping[str, datetime]) -> list[Command]:
    """Set each key to its instant, unless it has a later one."""
    lasts = round(LAST_RUN_KEPT.total_seconds())
    told = {key: at.astimezone(UTC).isoformat(timespec="microseconds") for key, at in instants.items()}
    return [("EVAL", _ADVANCE, len(some), *some, lasts, *some.values()) for some in _batches(told)]


def _batches(values: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """A command for many costs a fraction of many commands. Redis does nothing else while it runs a script."""
    items = list(values.items())
    return (dict(items[start : start + _BATCH]) for start in range(0, len(items), _BATCH))


def publish(channel: str, ids: Iterable[object]) -> Command:
    return "PUBLISH", channel, ",".join(str(each) for each in ids)
