"""The jobs of the night, each with one trouble."""

from __future__ import annotations

from typing import Any

_SECONDS = "0,5,10,15 10 0 * * *"
_MINUTES = "30-41 0 * * *"
_BERLIN = "Europe/Berlin"
_SOON_AGAIN: dict[str, Any] = {
    "min_backoff_seconds": 10.0,
    "max_backoff_seconds": 10.0,
    "jitter": False,
}

STORMS = [f"storm-{number}" for number in range(1, 11)]

JOBS: dict[str, dict[str, Any]] = {
    "books": {
        "schedule": "5,55 0,23 * * *",
        "exclude": ["2037-10-24"],
        "ends_at": "2037-10-25T00:30:00Z",
    },
    "skip": {"schedule": _SECONDS, "overlap": "skip"},
    "queue": {"schedule": _SECONDS, "overlap": "queue"},
    "move": {"schedule": _SECONDS},
    "change": {"schedule": _SECONDS},
    "brief": {"schedule": "0,12,24 20 0 * * *", "retry": _SOON_AGAIN | {"max_attempts": 2}},
    **{name: {"schedule": "0,12,24 20 0 * * *", "retry": _SOON_AGAIN | {"max_attempts": 5}} for name in STORMS},
    "import": {"schedule": "30 0 * * *", "timeout_seconds": 300.0},
    "latest": {"schedule": _MINUTES},
    "all": {"schedule": _MINUTES, "misfire": {"policy": "all", "window_seconds": 300.0}},
    "none": {"schedule": _MINUTES, "misfire": {"policy": "skip"}},
    "away": {"schedule": _MINUTES},
    "first": {"schedule": "30 2 * * *", "timezone": _BERLIN},
    "last": {"schedule": "30 2 * * *", "timezone": _BERLIN, "dst_overlap": "last"},
    "both": {"schedule": "30 2 * * *", "timezone": _BERLIN, "dst_overlap": "both"},
    "hourly": {"schedule": "30 * * * *", "timezone": _BERLIN},
}
