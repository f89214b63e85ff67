"""Types of single values, with their limits."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema

from app.api.schemas.instant import read_instant
from app.api.schemas.json_body import checked_json
from app.api.schemas.text import fault
from app.domain.secret import HeaderValue, named, secret_name

NAME_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$"
NO_NUL = r"^[^\u0000]*$"
"""PostgreSQL can't store NUL. Lone surrogates, which it can't store either, pydantic refuses in every text."""

_LABEL_KEY = "[A-Za-z0-9][A-Za-z0-9._/-]{0,62}"
_HEADER_NAME = r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$"
_HEADER_VALUE = r"^[\t\u0020-\u007e]*$"
_HEADERS_SIZE = 8192


def _flag(value: object) -> object:
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else value


def _integral(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _digits(value: object) -> object:
    return "" if isinstance(value, str) and not re.fullmatch("-?[0-9]+", value) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _small(headers: dict[str, Any]) -> dict[str, Any]:
    if (
        sum(len(name) + (len(value) if isinstance(value, str) else 0) for name, value in headers.items())
        > _HEADERS_SIZE
    ):
        raise fault("size", "Is larger than 8 KiB", "Send the rest in the body.")
    return headers


def _map_schema(keys: str, values: dict[str, Any]) -> WithJsonSchema:
    named = {"propertyNames": {"type": "string", "pattern": keys}, "additionalProperties": values}
    return WithJsonSchema({"type": "object", "maxProperties": 64} | named)


WHOLE = BeforeValidator(_integral)
"""To JSON `5.0` is an integer too. Stands last: what stands behind it is not in the document."""

DIGITS = BeforeValidator(_digits)
"""Of a number in a query, to Python also `1_0` and `5.0`. Stands last."""

Text = Annotated[str, Field(pattern=NO_NUL)]
NewName = Annotated[str, Field(pattern=NAME_PATTERN, description="Unique among the jobs.")]
JobName = Annotated[str, Field(min_length=1, max_length=255, pattern=NO_NUL)]
"""A name that a job may have: adopted ones may hold anything."""

ScheduleText = Annotated[
    str, Field(min_length=1, max_length=1024, pattern=NO_NUL, json_schema_extra={"format": "cronledger-schedule"})
]
Endpoint = Annotated[
    str, Field(min_length=1, max_length=2048, pattern=NO_NUL, json_schema_extra={"format": "cronledger-endpoint"})
]
Timezone = Annotated[
    str, Field(min_length=1, max_length=64, pattern=NO_NUL, json_schema_extra={"format": "cronledger-timezone"})
]
Description = Annotated[str, Field(max_length=4096, pattern=NO_NUL)]
Note = Annotated[str, Field(max_length=1024, pattern=NO_NUL)]
Method = Annotated[Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], BeforeValidator(_upper)]
Timeout = Annotated[float, Field(gt=0, le=3600, strict=True, allow_inf_nan=False)]
Enabled = Annotated[bool, Field(strict=True)]
Instant = Annotated[datetime, BeforeValidator(read_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
QueryFlag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
"""In a query `true` and `false` alone."""

LabelText = Annotated[str, Field(pattern=f"^{_LABEL_KEY}:[^\\u0000]{{0,255}}$")]
"""`key:value`."""

QueryText = Annotated[str, Field(max_length=255, pattern=NO_NUL)]

_LabelKey = Annotated[str, Field(pattern=f"^{_LABEL_KEY}$")]
_LabelValue = Annotated[str, Field(max_length=255, pattern=NO_NUL)]
_LABEL_SCHEMA = {"type": "string", "maxLength": 255, "pattern": NO_NUL}
Labels = Annotated[dict[_LabelKey, _LabelValue], Field(max_length=64), _map_schema(f"^{_LABEL_KEY}$", _LABEL_SCHEMA)]
LabelsPatch = Annotated[
    dict[_LabelKey, _LabelValue | None],
    Field(max_length=64),
    _map_schema(f"^{_LABEL_KEY}$", {"anyOf": [_LABEL_SCHEMA, {"type": "null"}]}),
]


def _header(value: object) -> HeaderValue:
    if isinstance(value, str):
        return value
    name = secret_name(value)
    if name is None or not re.fullmatch(NAME_PATTERN, name):
        raise fault("header", "Is neither text nor a secret", 'Use "text" or {"secret": "<name>"}.')
    return named(name)


_Header = Annotated[HeaderValue, PlainValidator(_header)]
_HEADER_SCHEMA = [
    {"type": "string", "maxLength": _HEADERS_SIZE, "pattern": _HEADER_VALUE},
    {"$ref": "#/components/schemas/SecretRef"},
]
Headers = Annotated[
    dict[str, _Header],
    Field(max_length=64),
    AfterValidator(_small),
    _map_schema(_HEADER_NAME, {"anyOf": _HEADER_SCHEMA}),
]
HeadersPatch = Annotated[
    dict[str, _Header | None],
    Field(max_length=64),
    AfterValidator(_small),
    _map_schema(_HEADER_NAME, {"anyOf": [*_HEADER_SCHEMA, {"type": "null"}]}),
]


class SecretRef(BaseModel):
    """A secret, by its name: what is sent is its value."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{**named("billing-token")}]})

    secret: Annotated[str, Field(pattern=NAME_PATTERN)]


ANY_JSON = "cronledger-json"
"""A format that stands for the document's own schema of JSON, see `api.contract`."""

JsonBody = Annotated[Any, AfterValidator(checked_json)]
