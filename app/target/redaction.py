"""What a target says back, without the secrets that it was sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from app.domain.masking import MASK

_SHORTEST = 4
"""Letters. What is shorter is no secret, and stands in many a word by chance."""


class Redaction:
    """Hides values as they are, in JSON, and in URLs; also the beginning of one that is cut off at the end."""

    def __init__(self, hidden: Iterable[str]) -> None:
        forms = {form for value in hidden for form in _forms(value) if len(form) >= _SHORTEST}
        self._forms = sorted(forms, key=len, reverse=True)
        self._found = re.compile("|".join(map(re.escape, self._forms))) if self._forms else None

    def __bool__(self) -> bool:
        return self._found is not None

    def __call__(self, text: str) -> str:
        if self._found is None:
            return text
        return self._without_beginning(self._found.sub(MASK, text))

    def _without_beginning(self, text: str) -> str:
        for form in self._forms:
            for length in range(min(len(form) - 1, len(text)), _SHORTEST - 1, -1):
                if text[-1] == form[length - 1] and text.endswith(form[:length]):
                    return text[:-length] + MASK
        return text


def _forms(value: str) -> set[str]:
    """Also in JSON that is a text in JSON, as those write it who say back a body."""
    once = {_in_json(value, plain=False), _in_json(value, plain=True)}
    twice = {_in_json(form, plain=True) for form in once}
    return {value, quote(value), quote_plus(value)} | once | twice


def _in_json(value: str, *, plain: bool) -> str:
    return json.dumps(value, ensure_ascii=not plain)[1:-1]
