"""A request whose body is JSON to all who read it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from fastapi import Request

NOWHERE = -1
"""The position of what concerns no single character."""


class JsonRequest(Request):
    """In UTF-8 (RFC 8259, 8.1), with no name twice in an object: some take the first of them, others the last (4)."""

    async def json(self) -> Any:  # noqa: ANN401  # as the framework has it
        """Raises JSONDecodeError."""
        if not hasattr(self, "_json"):
            self._json = _read(await self.body())
        return self._json


def _read(body: bytes) -> object:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = len(body[: error.start].decode("utf-8-sig"))
        raise json.JSONDecodeError("It is not UTF-8", "", at) from None
    return json.loads(text, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise json.JSONDecodeError(f"{name[:64]!r} stands twice in one object", "", NOWHERE)
    return found
