"""Versions: what a job was, and from when to when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.api.schemas.page import Page, PageQuery
from app.domain.history import StoredVersion

_Object = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "additionalProperties": True})]


class VersionQuery(PageQuery):
    """Of which job."""

    job_id: UUID = Field(description="Of this job, even if it is deleted.")


class DefinitionOut(BaseModel):
    """What was stored, whichever program wrote it. Headers and body are left out: they may hold credentials."""

    model_config = ConfigDict(extra="allow")

    name: str | None = Field(None, description="Null where an early program left it out.")
    schedule: str
    timezone: str = "UTC"
    day_rule: str = "or"
    dst_gap: str = "after"
    dst_overlap: str = "first"
    enabled: bool = True
    endpoint: str | None = None
    method: str = "POST"
    description: str = ""
    timeout_seconds: float = 30.0
    anchor: datetime | None = Field(None, description="The phase of `@every`.")
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    policies: _Object = Field({}, description="Those that differ from the default.")
    calendars: dict[str, int | None] = Field({}, description="The version of each calendar that it names.")


class VersionOut(BaseModel):
    """What a job was after `effective_from`, up to and including `effective_until`."""

    version: int
    effective_from: datetime
    effective_until: datetime | None = Field(description="Null while it is in force.")
    definition: DefinitionOut

    @classmethod
    def of(cls, stored: StoredVersion) -> Self:
        return cls(
            version=stored.version,
            effective_from=stored.effective_from,
            effective_until=stored.effective_until,
            definition=DefinitionOut(**stored.definition),
        )


class VersionPage(Page[VersionOut]):
    """Newest first."""
