"""Namespaces, and what each may have."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.fields import WHOLE
from app.api.schemas.page import Page
from app.domain.namespace import NAME_PATTERN, Namespace, Quotas

EXAMPLE: dict[str, Any] = {
    "max_jobs": 100,
    "min_interval_seconds": 60,
    "runs_per_day": 10_000,
    "requests_per_second": 20,
}

_Jobs = Annotated[int, Field(ge=0, le=10_000_000, strict=True), WHOLE]
_Interval = Annotated[float, Field(gt=0, le=31_622_400, strict=True, allow_inf_nan=False)]
_Runs = Annotated[int, Field(ge=0, le=1_000_000_000, strict=True), WHOLE]
_Rate = Annotated[float, Field(ge=0.001, le=1_000_000, strict=True, allow_inf_nan=False)]


class NamespaceIn(BaseModel):
    """What is left out, or null, is not limited."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    max_jobs: _Jobs | None = Field(None, description="So many jobs at once.")
    min_interval_seconds: _Interval | None = Field(
        None, description="So much lies between two occurrences of a job. Asked when a schedule is set."
    )
    runs_per_day: _Runs | None = Field(
        None, description="So many runs in a day of UTC, retries of a run not counted. Beyond that they are skipped."
    )
    requests_per_second: _Rate | None = Field(
        None, description="So many requests to one replica of all who act in it; twice as many at once after a pause."
    )

    def quotas(self) -> Quotas:
        return Quotas(**{name: getattr(self, name) for name in NamespaceIn.model_fields})


class NamespacePut(NamespaceIn):
    """The same, with its name beside it."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]


class NamespaceOut(BaseModel):
    """A namespace: its quotas, and what it has of them."""

    name: str
    max_jobs: int | None
    jobs: int = Field(description="How many there are in it.")
    runs_per_day: int | None
    runs_today: int | None = Field(description="Made since midnight UTC; null while `runs_per_day` is.")
    min_interval_seconds: float | None
    requests_per_second: float | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, namespace: Namespace) -> Self:
        own = {name: getattr(namespace, name) for name in ("name", "jobs", "runs_today", "created_at", "updated_at")}
        return cls(**own, **asdict(namespace.quotas))


class NamespacePage(Page[NamespaceOut]):
    """By name."""
