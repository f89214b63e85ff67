"""Schedules: the dialect, the occurrences that a schedule has, and its telling in words."""

from app.domain.schedule.kind import Schedule, require_occurrence
from app.domain.schedule.parse import DIALECT_VERSION, parse
from app.domain.schedule.surprises import warnings_for
from app.domain.schedule.zones import TZDATA_VERSION, load_zone, timezones

__all__ = [
    "DIALECT_VERSION",
    "TZDATA_VERSION",
    "Schedule",
    "load_zone",
    "parse",
    "require_occurrence",
    "timezones",
    "warnings_for",
]
