from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.policies import Policies
from app.domain.success import Success

# RFC 6901, section 5, and a little more.
DOCUMENT = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "m~n": 8,
    "~1": 9,
    "list": [[1, {"x": None}], True],
    "deep": {"k": [1, 2.0]},
}

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def fault(**asked: Any) -> str | None:
    return Success(**asked).fault(json.dumps(DOCUMENT).encode())


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/m~0n", 8),
        ("/~01", 9),
        ("/list/0/1/x", None),
        ("/list/1", True),
        ("/deep", {"k": [1.0, 2]}),
    ],
)
def test_a_pointer_finds_its_value(pointer: str, value: object) -> None:
    assert fault(body_json={pointer: value}) is None
    assert fault(body_json={pointer: [value]}) is not None


@pytest.mark.parametrize(
    "pointer",
    ["/none", "/foo/2", "/foo/-", "/foo/-1", "/foo/00", "/foo/01", "/foo/\u0661", "/foo/x", "/foo/0/0", "/foo/"],
)
def test_a_pointer_to_nothing_is_a_fault_even_where_null_is_asked_for(pointer: str) -> None:
    assert fault(body_json={pointer: None}) == f"{pointer} is not what body_json asks for"


@pytest.mark.parametrize(
    ("pointer", "value"), [("/list/1", 1), ("/a~1b", True), ("/", False), ("/a~1b", "1"), ("/list/0/1/x", 0)]
)
def test_values_of_different_kinds_are_not_equal(pointer: str, value: object) -> None:
    assert fault(body_json={pointer: value}) is not None


def test_all_of_it_must_hold() -> None:
    assert fault(body_contains="bar", body_json={"/a~1b": 1, "/m~0n": 8}) is None
    assert fault(body_contains="bar", body_json={"/a~1b": 1, "/m~0n": 9}) == "/m~0n is not what body_json asks for"
    assert fault(body_contains="qux", body_json={"/a~1b": 1}) == "the body does not contain what body_contains asks for"


@given(_JSON)
def test_every_document_is_what_it_is(document: object) -> None:
    assert Success(body_json={"": document}).fault(json.dumps(document).encode()) is None


@given(st.binary(max_size=200))
def test_no_body_is_too_odd_to_be_judged(body: bytes) -> None:
    assert Success(body_json={"/a": 1}).fault(body) is not None or json.loads(body)["a"] == 1


@pytest.mark.parametrize("body", [b"[" * 65536, b'{"a":' * 10000, b"1" * 5000, b"\xff", b""])
def test_a_body_that_cannot_be_parsed_is_a_fault(body: bytes) -> None:
    assert Success(body_json={"/a": 1}).fault(body) == "the body is not JSON, as body_json asks for"


def test_a_body_is_only_read_where_something_is_asked_of_it() -> None:
    asked = [Success(), Success(body_contains="x"), Success(body_json={"/a": 1})]
    assert [each.reads_body for each in asked] == [False, True, True]


def test_policies_can_be_hashed() -> None:
    policies = [Policies(success=Success(body_json={"/a": value})) for value in (1, 1, 2)]
    assert len(set(policies)) == 2
