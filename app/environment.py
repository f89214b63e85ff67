"""The settings as they are given, for who starts the service or works on its database."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from app.config import Settings


def read_settings(**given: Any) -> Settings:  # noqa: ANN401  # each is checked by its field
    """The settings, or the end with a line for each that can't be used."""
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = (
            ": ".join([*(f"CRONLEDGER_{name}".upper() for name in each["loc"]), each["msg"]]) for each in error.errors()
        )
        raise SystemExit("\n".join(lines)) from None
