"""How long the ledger remembers."""

from __future__ import annotations

from datetime import timedelta

KEPT = timedelta(days=30)
"""Runs are kept for so long, and with them what explains them."""

EVENTS_KEPT = timedelta(hours=24)
"""Events are kept for at least so long; a stream that was away for longer starts anew."""
