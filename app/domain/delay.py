"""What kept a run from its first call, as `job_runs.delayed_by` has it: a gate, or want of a place for the call."""

from __future__ import annotations

NO_PLACE = "replica"
"""All places for calls of the replica that claimed it were taken."""

_HOST = "host "


def host_delay(host: str) -> str:
    """All places of that replica for calls to this host and port were taken."""
    return f"{_HOST}{host}"


def host_of(delay: str) -> str | None:
    """The host and port whose places were taken."""
    return delay.removeprefix(_HOST) if delay.startswith(_HOST) else None
