"""Values that a field of a job can't have, and texts that it may have however they look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_TEXTS: tuple[str, ...] = (
    "schedule",
    "endpoint",
    "timezone",
    "day_rule",
    "description",
    "method",
    "overlap",
    "delivery",
)
_TEXTS += ("concurrency_key", "dst_gap", "dst_overlap")
_WHOLE = ("max_queued", "max_redirects", "max_runs", "pause_after_failures", "keep_runs")
_NUMBERS = (*_WHOLE, "timeout_seconds", "deadline_seconds", "jitter_seconds")
_INSTANTS = ("starts_at", "ends_at")
_MAPS = ("labels", "headers", "misfire", "retry", "success", "async_completion")
_LISTS = ("exclude", "notify")

_NO_TEXT: list[Any] = [0, 1.5, True, [], ["a"], {}, {"a": "b"}]
_NO_NUMBER: list[Any] = ["1", "", "NaN", "1e1", True, False, [], [1], {}, {"$gt": 0}, -1, 2**64, 1e300, 10**400]
_NO_FLAG: list[Any] = ["true", "false", "", "on", 1, 0, 1.0, [], [True], {}]
_NO_INSTANT: list[Any] = [
    0,
    1893456000,
    1.5,
    True,
    "",
    "now",
    "1893456000",
    "2040-01-01",
    "2040-01-01T00:00:00",
    [],
    {},
]
_NO_INSTANT += ["0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2041-02-29T00:00:00Z", "2040-01-01T00:00:00Z\0"]
_NO_INSTANT += [
    "2040-01-01T00:00:60Z",
    "2040-01-01T00:00:00+99:99",
    "\u0662040-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
]
_NO_MAP: list[Any] = [0, True, "a", "{}", [], ["a"], [["a", "b"]]]
_NO_LIST: list[Any] = [0, True, "a", "[]", {}, {"0": "a"}, {"length": 1}]


def wrong_types() -> Iterator[tuple[str, Any]]:
    """Each field with each value that is not of its type."""
    for fields, values in (
        (_TEXTS, _NO_TEXT),
        (_NUMBERS, _NO_NUMBER),
        (_WHOLE, [0.5, 1.5, 2.0000001]),
        (("enabled",), _NO_FLAG),
        (_INSTANTS, _NO_INSTANT),
        (_MAPS, _NO_MAP),
        (_LISTS, _NO_LIST),
    ):
        yield from ((field, value) for field in fields for value in values)


_NOTIFY = {"on": ["failure"], "endpoint": "http://good.example/"}

FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"__proto__": {"enabled": False}}, "__proto__"),
    ({"constructor": {"prototype": {}}}, "constructor"),
    ({"__class__": "a"}, "__class__"),
    ({"$where": "1"}, "$where"),
    ({"": 1}, "body"),
    ({"Name": "a"}, "Name"),
    ({"schedule ": "@daily"}, "schedule "),
    ({"sch\u0435dule": "@daily"}, "sch\u0435dule"),
    ({"endpoint\0": "a"}, "endpoint\0"),
    ({"a" * 100_000: 1}, "a" * 100_000),
    ({"id": 1}, "id"),
    ({"uid": "a"}, "uid"),
    ({"version": 1}, "version"),
    ({"policies": {}}, "policies"),
    ({"next_run": "2027-01-01T00:00:00Z"}, "next_run"),
    ({"created_at": "2027-01-01T00:00:00Z"}, "created_at"),
    ({"runs_made": 0}, "runs_made"),
    ({"problem": None}, "problem"),
    ({"completed": False}, "completed"),
    ({"model_config": {"extra": "allow"}}, "model_config"),
    ({"retry": {"__proto__": 1}}, "retry.__proto__"),
    ({"retry": {"max_attempts": "1"}}, "retry.max_attempts"),
    ({"retry": {"max_attempts": True}}, "retry.max_attempts"),
    ({"retry": {"max_attempts": 101}}, "retry.max_attempts"),
    ({"retry": {"jitter": "true"}}, "retry.jitter"),
    ({"retry": {"multiplier": 0.5}}, "retry.multiplier"),
    ({"retry": {"min_backoff_seconds": 2, "max_backoff_seconds": 1}}, "retry"),
    ({"retry": {"on": "5xx"}}, "retry.on"),
    ({"retry": {"on": ["5xx\n"]}}, "retry.on.0"),
    ({"retry": {"on": ["6xx"]}}, "retry.on.0"),
    ({"retry": {"on": ["429"] * 21}}, "retry.on"),
    ({"misfire": {"policy": "ALL"}}, "misfire.policy"),
    ({"misfire": {"max": 10**20}}, "misfire.max"),
    ({"misfire": {"grace_seconds": 0}}, "misfire.grace_seconds"),
    ({"success": {"status": []}}, "success.status"),
    ({"success": {"status": [200]}}, "success.status.0"),
    ({"success": {"status": ["2\uff10\uff10"]}}, "success.status.0"),
    ({"success": {"body_contains": ""}}, "success.body_contains"),
    ({"success": {"body_json": {"a": 1}}}, "success.body_json.a"),
    ({"success": {"body_json": {"/~2": 1}}}, "success.body_json./~2"),
    ({"success": {"body_json": {f"/{n}": 1 for n in range(21)}}}, "success.body_json"),
    ({"async_completion": {}}, "async_completion.timeout_seconds"),
    ({"async_completion": {"timeout_seconds": 1, "url": "a"}}, "async_completion.url"),
    ({"notify": [_NOTIFY] * 6}, "notify"),
    ({"notify": [_NOTIFY | {"on": ["success"]}]}, "notify.0.on.0"),
    ({"notify": [_NOTIFY | {"body": 1}]}, "notify.0.body"),
    ({"notify": [_NOTIFY | {"headers": {"A": "a\r\nB: b"}}]}, "notify.0.headers.A"),
    ({"exclude": [{"from": "2027-01-02", "until": "2027-01-01"}]}, "exclude"),
    ({"exclude": ["2027-01-01"] * 101}, "exclude"),
    ({"exclude": ["2027-02-29"]}, "exclude.0"),
    ({"exclude": ["\u0662027-01-01"]}, "exclude.0"),
    ({"exclude": [{"calendar": "../../etc/passwd"}]}, "exclude.0"),
    ({"headers": {"A": "a\r\nB: b"}}, "headers.A"),
    ({"headers": {"A\r\nB": "b"}}, "headers.A\r\nB"),
    ({"headers": {"A": "\u010a"}}, "headers.A"),
    ({"headers": {"A": "a" * 200_000}}, "headers"),
    ({"labels": {f"a{n}": "" for n in range(10_000)}}, "labels"),
    ({"labels": {"a": "a" * 200_000}}, "labels.a"),
    ({"labels": {"a": "\ud800"}}, "labels.a"),
    ({"labels": {"a": ["b"]}}, "labels.a"),
    ({"description": "a" * 200_000}, "description"),
    ({"description": "a\0"}, "description"),
    ({"description": "\ud800"}, "description"),
    ({"schedule": "*" * 200_000}, "schedule"),
    ({"timezone": "a" * 200_000}, "timezone"),
    ({"endpoint": "http://good.example/" + "a" * 200_000}, "endpoint"),
    ({"concurrency_key": "../../etc/passwd"}, "concurrency_key"),
    ({"concurrency_key": "a\n"}, "concurrency_key"),
    ({"concurrency_key": "'; DROP TABLE key_limits; --"}, "concurrency_key"),
    ({"starts_at": "2040-01-02T00:00:00Z", "ends_at": "2040-01-01T00:00:00Z"}, "ends_at"),
]
"""Changes of a good job, and the field that is at fault."""

LABELS: tuple[str, ...] = (
    "",
    " ",
    ".",
    "..",
    "../etc",
    "/a",
    ".a",
    "-a",
    "_a",
    "a b",
    "a:b",
    "a,b",
    "a\n",
    "a\0b",
    "a\\b",
    "\u00e4",
    "\u202ea",
)
LABELS += ("__proto__", "$a", "{{7*7}}", "${a}", "<b>", "'", "a;", "a%00", "\ufeffa", "a" * 64, "a" * 100_000)
"""Keys that no label has."""

NAMES: tuple[str, ...] = (
    "",
    " ",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a b",
    "a\n",
    "\na",
    "a\tb",
    "a\0b",
    "a\x1b[2J",
)
NAMES += ("a\x7f", "a\x85", "a\u202eb", "a\u200bb", "\ufeffa", "\uff41", "caf\u00e9", "a\u0301", "\U0001f4a9", "\ud800")
NAMES += (
    "'; DROP TABLE cron_jobs; --",
    '" OR ""="',
    "<script>",
    "{{7*7}}",
    "${jndi:ldap://127.0.0.1/a}",
    "$(id)",
    "`id`",
)
NAMES += (
    "%00",
    "a%2fb",
    "a;b",
    "a:b",
    "a?b",
    "a#b",
    "-rf",
    "_a",
    "=1+1",
    "+a",
    "@a",
    "*",
    "a*",
    "a" * 256,
    "a" * 100_000,
)
"""Names that no job and no calendar has."""

HARMLESS = (
    "{{7*7}}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "${jndi:ldap://127.0.0.1/a}",
    "'; DROP TABLE cron_jobs; --",
    '" OR ""="',
    "\\'; SELECT pg_sleep(9); --",
    "%s%n%x%(a)s",
    "{0.__class__}",
    "$(id)",
    "`id`",
    "| id",
    "<script>alert(1)</script>",
    "]]>--><!--",
    "&lt;&#x41;",
    "../../etc/passwd",
    "=cmd|' /C calc'!A0",
    "a\r\nB: b",
    "\x1b[2J\x07\x08\x7f\x85\x9b",
    "\u202etxt.exe\u2066\u200b\ufeff",
    "\u2028\u2029\ufdd0\uffff",
    "\U0001f4a9\U0010ffff",
    "a\u0301\u0301\u0301",
    "\\u0000\\x00%00",
    "NULL",
    "NaN",
    " ",
    "",
)
"""Texts that are kept as they are."""
