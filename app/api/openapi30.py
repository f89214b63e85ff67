"""The OpenAPI document in version 3.0, which is what the packaged Swagger UI reads."""

from __future__ import annotations

from typing import Any


def downgraded(document: dict[str, Any]) -> dict[str, Any]:
    """A copy; what 3.0 can't say is left out."""
    copy = {name: _convert(value) for name, value in document.items()}
    copy["info"]["license"].pop("identifier", None)
    for operation in (each for path in copy.get("paths", {}).values() for each in path.values()):
        operation["security"] = [{name: [] for name in each} for each in operation["security"]]
    return copy | {"openapi": "3.0.3"}


def _convert(value: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
    if isinstance(value, list):
        return [_convert(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _convert(each) for name, each in _schema(value).items()}


def _schema(value: dict[str, Any]) -> dict[str, Any]:
    """Unions with null, several types, numeric exclusive bounds, lists of examples."""
    schema = {name: each for name, each in value.items() if name != "propertyNames"}
    if isinstance(schema.get("type"), list):
        del schema["type"]
    if {"type": "null"} in schema.get("anyOf", ()):
        kinds = [each for each in schema.pop("anyOf") if each != {"type": "null"}]
        schema |= {"nullable": True} | (kinds[0] if len(kinds) == 1 and "$ref" not in kinds[0] else {"anyOf": kinds})
    if isinstance(schema.get("exclusiveMinimum"), float):
        schema |= {"minimum": schema["exclusiveMinimum"], "exclusiveMinimum": True}
    if isinstance(schema.get("examples"), list):
        schema["example"] = schema.pop("examples")[0]
    return schema
