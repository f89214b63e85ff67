"""What counts as success."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """All of it must hold. `body_json` maps JSON pointers (RFC 6901) to the values that must stand there."""

    status: tuple[str, ...] = ("2xx",)
    body_contains: str | None = None
    body_json: dict[str, Any] = field(default_factory=dict, hash=False)

    def covers(self, status: int) -> bool:
        return any(matches(each, status) for each in self.status)

    @property
    def reads_body(self) -> bool:
        return self.body_contains is not None or bool(self.body_json)

    def fault(self, body: bytes) -> str | None:
        """What the body lacks, in a few words."""
        if self.body_contains is not None and self.body_contains.encode() not in body:
            return "the body does not contain what body_contains asks for"
        if not self.body_json:
            return None
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):  # the latter for a body of brackets
            return "the body is not JSON, as body_json asks for"
        return next(
            (
                f"{at or 'the whole'} is not what body_json asks for"
                for at, wanted in self.body_json.items()
                if not _equal(_at(document, at), wanted)
            ),
            None,
        )


def matches(pattern: str, status: int) -> bool:
    """Whether a status is `429`, or one of `5xx`."""
    return fnmatchcase(str(status), pattern.replace("x", "?"))


class _Absent:
    """Equal to no JSON value."""


def _at(document: Json, pointer: str) -> Json:
    """RFC 6901, section 4."""
    here = document
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict) and key in here:
            here = here[key]
        elif isinstance(here, list) and _is_index(key) and int(key) < len(here):
            here = here[int(key)]
        else:
            return _Absent()
    return here


def _is_index(key: str) -> bool:
    return key.isascii() and key.isdecimal() and (key == "0" or key[0] != "0")


def _equal(found: Json, wanted: Json) -> bool:
    """As JSON has it: `true` is not 1, and 1 is 1.0."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_equal(found[key], wanted[key]) for key in found)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_equal, found, wanted))
    return bool(found == wanted)
