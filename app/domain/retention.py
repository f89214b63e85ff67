"""How long the ledger remembers."""

from __future__ import annotations

from datetime import timedelta

KEPT = timedelta(days=30)
"""Runs are kept for so long, and with them what explains them."""
