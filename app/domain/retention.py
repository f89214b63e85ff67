"""How long the ledger remembers."""

from __future__ import annotations

from datetime import datetime, timedelta

KEPT = timedelta(days=30)
"""Runs are kept for so long, and with them what explains them."""

AUDIT_KEPT = timedelta(days=365)
"""The audit log is kept for so long."""

EVENTS_KEPT = timedelta(hours=24)
"""Events are kept for at least so long; a stream that was away for longer starts anew."""


def aged_before(now: datetime, kept: timedelta, waiting: datetime | None) -> datetime:
    """What stands in the ledger before it may go.

    `waiting` is the earliest occurrence that a job waits for: rows from there on prevent that a run is made twice.
    """
    aged = now - kept
    return aged if waiting is None else min(aged, waiting)
