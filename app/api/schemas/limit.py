"""Limits of keys that jobs share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.fields import WHOLE
from app.api.schemas.page import Page
from app.domain.limit import KeyLimit

EXAMPLE: dict[str, Any] = {"max_concurrency": 7, "rate_per_second": None}

_Concurrency = Annotated[int, Field(ge=0, le=1_000_000, strict=True), WHOLE]
_Rate = Annotated[float, Field(gt=0, le=1_000_000, strict=True, allow_inf_nan=False)]


class LimitIn(BaseModel):
    """What is left out, or null, is not limited."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    max_concurrency: _Concurrency | None = Field(
        None, description="So many calls of runs with this key at once; 0 lets none start."
    )
    rate_per_second: _Rate | None = Field(
        None, description="So many calls begin in a second; after a pause as many as in one second at once."
    )


class LimitOut(BaseModel):
    """What the key allows, and what it is used for just now."""

    key: str
    max_concurrency: int | None
    rate_per_second: float | None
    in_use: int = Field(description="Calls under way, of all jobs with this key.")
    waiting: int = Field(description="Runs that are due and held up by this limit.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, limit: KeyLimit) -> Self:
        return cls(**{name: getattr(limit, name) for name in cls.model_fields})


class LimitPage(Page[LimitOut]):
    """By key."""
