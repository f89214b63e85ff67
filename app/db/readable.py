"""Values of a job's row that this program must know, and may not: another program may have written them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from app.db.policies import load_policies
from app.domain.job import DayRule, DstGap, DstOverlap
from app.domain.policies import Policies

_KINDS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "day_rule": (DayRule, DayRule.OR),
    "dst_gap": (DstGap, DstGap.AFTER),
    "dst_overlap": (DstOverlap, DstOverlap.FIRST),
    "policies": (load_policies, Policies()),
}


def readable(row: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The columns as the domain has them, and a problem where one can't be read, which has its default then."""
    values, problem = dict(row), None
    for name, (kind, default) in _KINDS.items():
        try:
            values[name] = kind(values[name])
        except ValueError as error:
            values[name] = default
            problem = f"{name} can't be read by this program: {_told(error)}. Set it anew with PATCH."
    return values, problem


def _told(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
