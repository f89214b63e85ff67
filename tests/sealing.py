"""A key for tests: nothing is secret about it."""

from __future__ import annotations

from app.vault.sealer import Sealer

KEY = f"{'A' * 43}="
SEALER = Sealer([KEY])
