"""Which instants are asked for: one, or all between two."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from app.api.schemas.instant import read_instant
from app.api.schemas.text import fault
from app.service.explain import Asked

LONGEST = timedelta(days=366)


def read_asked(value: object) -> Asked:
    """An instant, or an interval of ISO 8601 with two of them. Raises PydanticCustomError."""
    if not isinstance(value, str) or "/" not in value:
        return Asked(read_instant(value))
    first, _, last = value.partition("/")
    start, end = read_instant(first), read_instant(last)
    if end <= start:
        raise fault("backwards", "Is a range that ends before it begins", "Put the earlier instant first.")
    if end - start > LONGEST:
        raise fault("length", "Is a range of more than 366 days", "Ask for a year at a time.")
    return Asked(start, end)


At = Annotated[
    Asked,
    PlainValidator(read_asked),
    WithJsonSchema({"type": "string", "format": "cronledger-instants", "maxLength": 80}),
]
