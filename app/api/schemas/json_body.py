"""The body that a job sends: any JSON that a database can store and a reader can bear."""

from __future__ import annotations

import json

from app.api.schemas.text import fault, sound

MAX_DEPTH = 64
LEAST, GREATEST = -(2**63), 2**64 - 1
"""Of numbers: databases tell 1e300 as an integer of 301 digits."""
MAX_BYTES = 256 * 1024


def checked_json(value: object) -> object:
    """Raises PydanticCustomError."""
    _check_parts(value)
    try:
        size = len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except UnicodeEncodeError:
        raise fault("surrogate", "Holds half of a surrogate pair", "Write the character itself.") from None
    except ValueError:
        raise fault("number", "Holds a number that JSON does not have", "Leave NaN and Infinity out.") from None
    if size > MAX_BYTES:
        raise fault("size", "Is larger than 256 KiB", "Send a reference that the target can follow.")
    return value


def _check_parts(value: object) -> None:
    """Without recursion, since how deep it goes is for the caller of the API to say."""
    level: list[object] = [value]
    depth = 0
    while level:
        if depth >= MAX_DEPTH and any(isinstance(item, list | dict) for item in level):
            raise fault("depth", "Is nested more than 64 levels deep", "Flatten it, or send it as a string.")
        below: list[object] = []
        for item in level:
            if isinstance(item, str):
                sound(item)
            elif isinstance(item, int | float) and (item < LEAST or item > GREATEST):
                raise fault("number", "Holds a number beyond 64 bits", "Send it as a string.")
            elif isinstance(item, list):
                below += item
            elif isinstance(item, dict):
                below += [*item.keys(), *item.values()]
        level, depth = below, depth + 1
