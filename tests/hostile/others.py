"""Bodies of the smaller endpoints, of which one field holds what it can't."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_SPAN = {"since": "2025-01-01T00:00:00Z", "until": "2025-01-02T00:00:00Z"}
_KEY = {"name": "new", "scopes": ["jobs:read"]}
_NO_NUMBER: list[Any] = ["1", "", True, False, [], {}, -1, 1e300, 10**400]
_NO_WHOLE: list[Any] = [*_NO_NUMBER, 0.5, 1.0000001]
_NO_INSTANT: list[Any] = [
    0,
    1e300,
    True,
    "",
    "now",
    "2030-01-01",
    "2030-01-01T00:00:00",
    "9999-12-31T23:59:59Z",
    [],
    {},
]
_NO_TEXT: list[Any] = [0, True, None, [], {}, "a\0", "\ud800"]
_BACKWARDS = {"from": "2027-01-02", "until": "2027-01-01"}
_NO_TIME = {"from": "2027-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}
_NO_DAYS = (
    "2027-02-29",
    "2027-1-1",
    "0000-01-01",
    "1969-12-31",
    "2100-01-01",
    "\u0662027-01-01",
    "2027-01-01\n",
    "",
    1,
    None,
)
_NO_ENTRIES: list[Any] = [None, 1, "2027-01-01", True, [], {}, {"date": "2027-01-01", "__proto__": 1}]
_NO_ENTRIES += [{"date": day} for day in _NO_DAYS]
_NO_ENTRIES += [{"date": "2027-01-01", "summary": each} for each in ("a" * 256, "a" * 100_000, "\0", "\ud800", 1, None)]
_NO_ENTRIES += [
    {"from": "2027-01-01", "until": "2027-01-02T00:00:00Z"},
    {"from": 1, "until": 2},
    {"from": "2027-01-01"},
]

TABLE: list[tuple[str, str, dict[str, Any], dict[str, list[Any]]]] = [
    (
        "POST",
        "/v1/jobs/old/backfill",
        _SPAN,
        {
            "since": [*_NO_INSTANT, None, _SPAN["until"], "2099-12-31T23:59:59Z"],
            "until": [*_NO_INSTANT, None, "2099-12-31T23:59:59Z"],
            "max": [*_NO_WHOLE, 0, 1001, None],
            "concurrency": [*_NO_WHOLE, 0, 101, None],
            "only_missing": ["true", "", 1, 0, None, [], {}],
            "__proto__": [{"max": 1000}],
            "Max": [1],
            "dry_run": [True],
        },
    ),
    (
        "PUT",
        "/v1/calendars/old",
        {},
        {
            "entries": [
                None,
                1,
                "a",
                True,
                {},
                {"0": "a"},
                [{}] * 20_000,
                [{"date": "2027-01-01"}] * 5001,
                [_BACKWARDS],
                [_NO_TIME],
            ],
            "entries.0": _NO_ENTRIES,
            "description": [*_NO_TEXT, "a" * 4097, "a" * 200_000],
            "timezone": [*_NO_TEXT, "", "a" * 65],
            "name": ["new", "", "OLD", "old\n", "../old", 1, []],
            "version": [1],
            "__proto__": [{"entries": []}],
        },
    ),
    (
        "PUT",
        "/v1/limits/old",
        {},
        {
            "max_concurrency": [*_NO_WHOLE, 1_000_001],
            "rate_per_second": [*_NO_NUMBER, 0, -0.0, 1_000_001],
            "in_use": [0],
            "key": ["new"],
            "constructor": [{}],
        },
    ),
    (
        "POST",
        "/v1/keys",
        _KEY,
        {
            "name": [*_NO_TEXT, "", "a" * 256, "a" * 200_000],
            "scopes": [None, "admin", "", 1, True, [], {"admin": True}, ["admin"] * 17, ["admin"] * 20_000],
            "scopes.0": [
                "*",
                "ADMIN",
                "admin ",
                "admin\n",
                "jobs:read,admin",
                "jobs:*",
                "\u0430dmin",
                "",
                None,
                1,
                True,
                ["admin"],
                {},
            ],
            "expires_at": [*_NO_INSTANT, "2020-01-01T00:00:00Z", "-1", "never"],
            **{
                name: [None, "a"]
                for name in ("key", "id", "digest", "hint", "created_at", "revoked_at", "last_used_at", "admin")
            },
        },
    ),
    (
        "PATCH",
        "/v1/keys/ID",
        {},
        {
            "name": [*_NO_TEXT, "", "a" * 256],
            "scopes": [None, "admin", [], {}],
            "scopes.0": ["root", None, 1],
            "expires_at": [*_NO_INSTANT, "2020-01-01T00:00:00Z"],
            **{name: [None, "a"] for name in ("key", "id", "digest", "hint", "revoked_at", "__proto__")},
        },
    ),
    (
        "POST",
        "/v1/jobs/old/pause",
        {},
        {
            "note": [0, True, [], {}, "a\0", "\ud800", "a" * 1025, "a" * 200_000],
            "until": [*_NO_INSTANT, "2020-01-01T00:00:00Z"],
            "by": ["a"],
        },
    ),
    (
        "POST",
        "/v1/schedules/preview",
        {"schedule": "@daily"},
        {
            "count": [*_NO_WHOLE, 0, 1001, None],
            "from": _NO_INSTANT,
            "from_": ["2030-01-01T00:00:00Z"],
            "starts_at": _NO_INSTANT,
            "name": [0, True, [], {}, "a\0", "\ud800", "", "a" * 256],
            "schedule": [*_NO_TEXT, ["@daily"]],
            "exclude": [None, "2027-01-01", {}, [_BACKWARDS], ["2027-01-01"] * 101],
            "exclude.0": [None, 1, {}, *_NO_DAYS, {"calendar": "../old"}, {"calendar": None}],
            "day_rule": ["xor", "OR", "", None, 1],
        },
    ),
]
"""Method, path, a good body, and the values of each of its fields. A field with a number has them in a list.

ID is that of a key.
"""


def bodies() -> Iterator[tuple[str, str, dict[str, Any], str]]:
    """Method, path, body, and the field that is at fault."""
    for method, path, good, fields in TABLE:
        for field, values in fields.items():
            name, _, number = field.partition(".")
            for value in values:
                yield method, path, good | {name: [value] if number else value}, field
