"""Text that can be stored, and how a validator says that it can't."""

from __future__ import annotations

from typing import LiteralString

from pydantic_core import PydanticCustomError

LEAVE_OUT = "Leave it out."


def fault(kind: LiteralString, message: LiteralString, remedy: str) -> PydanticCustomError:
    """What a validator raises; the remedy goes into the problem that is answered."""
    return PydanticCustomError(kind, message, {"remedy": remedy})


def sound(text: str) -> str:
    """Refuse NUL, which PostgreSQL can't store. Lone surrogates, which it can't either, pydantic refuses itself."""
    if "\0" in text:
        raise fault("nul", "Holds a NUL character", LEAVE_OUT)
    return text
