"""Whether this replica is alive and ready."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class LiveOut(BaseModel):
    """Looked at without the database."""

    status: Literal["ok", "stalled"]
    stalled: list[str] = Field(description="Loops that have not taken a step for too long.")


class CheckOut(BaseModel):
    """One thing that must hold."""

    name: Literal["database", "migrations", "loops", "entries", "claiming"]
    ok: bool
    detail: str


class ReadyOut(BaseModel):
    """Ready when every check holds."""

    status: Literal["ready", "unready"]
    checks: list[CheckOut]
