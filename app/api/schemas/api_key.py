"""API keys on their way in and out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.fields import NO_NUL, Instant
from app.api.schemas.page import Page
from app.domain.access import Scope
from app.domain.api_key import ApiKey

EXAMPLE: dict[str, Any] = {
    "name": "deploy",
    "scopes": ["jobs:read", "jobs:write"],
    "expires_at": "2099-01-01T00:00:00Z",
}

_KeyName = Annotated[str, Field(min_length=1, max_length=255, pattern=NO_NUL)]
_Scopes = Annotated[list[Scope], Field(min_length=1, max_length=16)]


class KeyIn(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    name: _KeyName = Field(description="What it is for; several keys may have one name.")
    scopes: _Scopes = Field(description="What it allows; `admin` includes the others.")
    expires_at: Instant | None = Field(None, description="From then on it is refused; left out, it does not expire.")


class KeyPatch(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"scopes": ["runs:read"]}]})

    name: _KeyName = ""
    scopes: _Scopes = []
    expires_at: Instant | None = None

    def given(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self.model_fields_set}
        return told | ({"scopes": frozenset(self.scopes)} if "scopes" in told else {})


class KeyOut(BaseModel):
    """A key, but for what its holder sends."""

    id: UUID
    name: str
    hint: str = Field(description="How the key begins.")
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        return cls(**facts(key))


class NewKeyOut(KeyOut):
    """A key that was made just now."""

    key: str = Field(description="What its holder sends as `Authorization: Bearer <key>`. It is not shown again.")


def facts(key: ApiKey) -> dict[str, Any]:
    told = {name: getattr(key, name) for name in KeyOut.model_fields}
    return told | {"scopes": sorted(key.scopes)}


class KeyPage(Page[KeyOut]):
    """Oldest first."""
