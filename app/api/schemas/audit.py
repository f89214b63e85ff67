"""The audit log on its way out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, WithJsonSchema

from app.api.schemas.fields import NO_NUL, Instant
from app.api.schemas.page import Page, PageQuery
from app.domain.audit_record import AuditFilter, AuditRecord

_Facts = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "additionalProperties": True})]
_Asked = Annotated[str, Field(min_length=1, max_length=512, pattern=NO_NUL)]
_AskedActor = Annotated[str, Field(min_length=1, max_length=4096, pattern=NO_NUL)]


class AuditQuery(PageQuery):
    """Which of its lines."""

    actor_id: _AskedActor | None = Field(None, description="Of this API key's id, or issuer and subject of a token.")
    action: _Asked | None = Field(None, description="Such as `job.delete`.")
    subject: _Asked | None = Field(None, description="Of this name: a job's, a calendar's, a limit's, a key's.")
    since: Instant | None = Field(None, description="From this instant on.")
    until: Instant | None = Field(None, description="Before this instant.")

    def filters(self) -> AuditFilter:
        names = ("actor_id", "action", "subject", "since", "until")
        return AuditFilter(**{name: getattr(self, name) for name in names})


class AuditOut(BaseModel):
    """What somebody did. Values that may be credentials are `***`; what is larger than 4 KiB is told by its digest."""

    id: int
    at: datetime
    actor_id: str | None = Field(description="The API key's id, or issuer and subject; null where no key was needed.")
    actor: str = Field(description="The key's name, or the token's subject.")
    address: str | None = Field(description="Where the request came from.")
    request_id: str | None = Field(description="The `X-Request-Id` of the answer.")
    action: str
    subject: str = Field(description="The name of the job, calendar, limit or key.")
    subject_id: str | None
    before: _Facts | None
    after: _Facts | None

    @classmethod
    def of(cls, record: AuditRecord) -> Self:
        return cls(**{name: getattr(record, name) for name in cls.model_fields})


class AuditPage(Page[AuditOut]):
    """Newest first."""
