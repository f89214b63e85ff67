"""The rules under which next times are computed: when they change, so may the times."""

from __future__ import annotations

from app.domain.schedule import DIALECT_VERSION, TZDATA_VERSION

COMPUTED_UNDER = f"dialect {DIALECT_VERSION:03} tzdata {TZDATA_VERSION}"
"""Stands in each job's row; later rules compare greater as text."""
