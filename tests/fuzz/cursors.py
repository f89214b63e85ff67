"""Cursors that nobody gave out, and those that somebody did, changed."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, get_args

from hypothesis import strategies as st

from app.api import cursors
from app.domain.errors import InvalidCursor

READERS: list[Callable[[str], Any]] = [
    *(cursors.name, cursors.number, cursors.version, cursors.instant, cursors.started, cursors.run_id, cursors.job_id)
]


KEY = b"nothing is secret about it"


def _told(value: object) -> str:
    return cursors.signed(KEY, json.dumps(value).encode())


def _unsigned(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


_KIND = st.sampled_from(get_args(cursors.Kind))
_KEYS = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.uuids().map(str),
    st.tuples(st.integers(), st.uuids()).map(lambda each: f"{each[0]} {each[1]}"),
)
_ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
)
KINDS = st.tuples(_KIND, st.sampled_from(READERS))
TEXTS = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="abcXYZ019-_=+/ ", max_size=80),
    _ANYTHING.map(_told),
    st.tuples(_KIND, _KEYS).map(_told),
    st.tuples(_KIND, _KEYS).map(_unsigned),
)


def is_key_or_refusal(kind: tuple[cursors.Kind, Callable[[str], Any]], text: str) -> None:
    """A key that is read is given out again as a cursor that reads the same."""
    try:
        key = cursors.decode(KEY, kind[0], text, kind[1])
    except InvalidCursor:
        return
    if isinstance(key, str | int):
        assert cursors.decode(KEY, kind[0], cursors.encode(KEY, kind[0], key), kind[1]) == key
