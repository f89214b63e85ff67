"""The stop switch."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class SwitchOut(BaseModel):
    """Whether every replica stands still."""

    paused: bool
    since: datetime = Field(description="Since when it is so.")
