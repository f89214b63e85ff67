"""What a target says back, without the secrets that it was sent."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from functools import cached_property
from urllib.parse import quote, quote_plus

from app.domain.masking import MASK

_SHORTEST = 4
"""Letters. What is shorter is no secret, and stands in many a word by chance."""


class Redaction:
    """Hides values as they are, in JSON, in HTML and in URLs; also the beginning of one that is cut off at the end."""

    def __init__(self, hidden: Iterable[str]) -> None:
        self._hidden = [value for value in hidden if len(value) >= _SHORTEST]

    def __bool__(self) -> bool:
        return bool(self._hidden)

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        for form in self._forms:
            text = _without_beginning(text, form)
        return text

    @cached_property
    def _forms(self) -> list[str]:
        """Longest first, since one may hold another. Made once there is something to hide them in."""
        return sorted({form for value in self._hidden for form in _forms(value)}, key=len, reverse=True)


def _without_beginning(text: str, form: str) -> str:
    at = text.find(form[:_SHORTEST], max(len(text) - len(form), 0))
    while at != -1:
        if form.startswith(text[at:]):
            return text[:at] + MASK
        at = text.find(form[:_SHORTEST], at + 1)
    return text


def _forms(value: str) -> set[str]:
    """As it is, as a host, and in JSON: as several languages write it, also as a text in JSON, as bodies are echoed."""
    once = {form for plain in (True, False) for form in _in_json(value, plain=plain)}
    twice = {form for each in once for form in _in_json(each, plain=True)}
    in_url = {quote(value), quote(value, safe=""), quote_plus(value)}
    return {value, value.lower(), html.escape(value)} | in_url | once | twice


def _in_json(value: str, *, plain: bool) -> set[str]:
    told = json.dumps(value, ensure_ascii=not plain)[1:-1]
    for_html = told.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return {told, for_html, told.replace("/", "\\/")}
