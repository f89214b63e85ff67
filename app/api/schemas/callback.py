"""What a target says of an attempt."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.fields import NO_NUL
from app.domain.callback import Said

EXAMPLES: dict[str, Any] = {
    "done": {"value": {"status": "succeeded", "result": "1,204 rows"}},
    "failed": {"value": {"status": "failed", "error": "the disk is full"}},
    "still at it": {"value": {"status": "heartbeat"}},
}


class CallbackIn(BaseModel):
    """The end of the attempt, or a heartbeat, from which its time counts anew."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLES["done"]["value"]]})

    status: Said
    error: Annotated[str, Field(max_length=300, pattern=NO_NUL)] | None = Field(
        default=None, description="Of `failed`: becomes the run's error."
    )
    result: Annotated[str, Field(max_length=2048, pattern=NO_NUL)] | None = Field(
        default=None, description="Of an end: becomes the run's excerpt, of which 2 KiB are kept."
    )
