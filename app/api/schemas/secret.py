"""Secrets on their way in, with their values, and out, without."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.fields import NAME_PATTERN, NO_NUL
from app.api.schemas.page import Page
from app.domain.secret import Secret

EXAMPLE: dict[str, Any] = {"name": "billing-token", "value": "s3cr3t-of-the-billing-service"}

Name = Annotated[str, Field(pattern=NAME_PATTERN, description="Unique among the secrets.")]
_Value = Annotated[str, Field(min_length=1, max_length=32768, pattern=NO_NUL)]


class SecretValue(BaseModel):
    """What no answer ever tells."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, json_schema_extra={"examples": [{"value": EXAMPLE["value"]}]}
    )

    value: _Value = Field(description="It is encrypted, and never read again through this API.", repr=False)


class SecretIn(SecretValue):
    """A new secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Name


class SecretOut(BaseModel):
    """A secret, but for its value."""

    name: str
    created_at: datetime
    updated_at: datetime = Field(description="When it was given its value.")

    @classmethod
    def of(cls, secret: Secret) -> Self:
        return cls(**{name: getattr(secret, name) for name in cls.model_fields})


class SecretPage(Page[SecretOut]):
    """By name."""
