"""Bodies as bytes: what is no JSON, what is no object, and what is said of them in headers."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from tests.api.building import JOB

MOST = 256 * 1024
NO_JSON, NO_BODY, NO_TYPE = "400 malformed-body", "422 invalid-input body", "415 unsupported-media-type"
LARGE = "413 body-too-large"

MALFORMED = [
    b" ",
    b"\n\t\r\n",
    b"\x00",
    b"\x0c{}",
    b"\xe2\x80\x8b{}",
    b"{",
    b"}",
    b"{]",
    b"{}}",
    b"{}{}",
    b"{}\n{}",
    b"{} x",
    b"{}\x00",
    b'{"a"}',
    b'{"a":}',
    b'{"a":1,}',
    b'{,"a":1}',
    b'{"a":1 "b":2}',
    b'{"a":1;"b":2}',
    b"[1,]",
    b"[1,,2]",
    b"[,]",
    b"{'a':1}",
    b"{a:1}",
    b"{1:1}",
    b'{"a":01}',
    b'{"a":+1}',
    b'{"a":.5}',
    b'{"a":1.}',
    b'{"a":1e}',
    b'{"a":-}',
    b'{"a":0x1}',
    b'{"a":1_0}',
    b'{"a":nan}',
    b'{"a":True}',
    b'{"a":None}',
    b'{"a":undefined}',
    b'{"a":inf}',
    b"// a comment\n{}",
    b"/* a comment */{}",
    b"{}// a comment",
    b"# a comment\n{}",
    b"#!/bin/sh",
    b")]}',\n{}",
    b"callback({})",
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
    b"--- !!python/object/apply:os.system ['id']",
    b"a=b&c=d",
    b'{"a":"',
    b'{"a":"\\"}',
    b'{"a":"\n"}',
    b'{"a":"\x00"}',
    b'{"a":"\x1f"}',
    b'{"a":"\\x41"}',
    b'{"a":"\\u12"}',
    b'{"a":"\\u{41}"}',
    b'{"a":"\\uD8"}',
    b'{"a":"\xff"}',
    b'{"a":"\xed\xa0\x80"}',
    b'{"\xed\xbf\xbf":1}',
    b'{"a":"\xc0\xaf"}',
    b'{"a":"\xe2\x82"}',
    b'{"a":"\xf5\x80\x80\x80"}',
    b'{"a":"caf\xe9"}',
    b"\xff\xfe",
    b"\x80\x04]\x94.",
    b"\x1f\x8b\x08\x00",
    gzip.compress(b"{}"),
    zlib.compress(b"{}"),
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 40_000,
    b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    b"1" * 5000,
    b'{"a":' + b"1" * 5000 + b"}",
    b"-" * 100_000,
    b'"' + b"\\" * 99_999 + b'"',
    b'{"a":"' + b"\\u0041" * 30_000,
    *('{"name":"a"}'.encode(coding) for coding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le")),
    b'{"a":1,"a":1}',
    b'{"a":1,"b":2,"\\u0061":3}',
    b'{"a":[{"b":{"":1,"c":2,"":3}}]}',
    b'[{"a":1,"a":2}]',
]
"""No JSON, or none that a reader can bear."""

NOT_OBJECTS = [
    b"[]",
    b"[{}]",
    b'["name"]',
    b'[["name","a"]]',
    b"[" * 10 + b"]" * 10,
    b"[" * 65 + b"]" * 65,
    b'"a"',
    b'""',
    b'"{}"',
    b"0",
    b"-0",
    b"1.5",
    b"1e400",
    b"123456789012345678901234567890",
    b"true",
    b"false",
    b"NaN",
    b"Infinity",
    b"-Infinity",
]
"""JSON, or what is taken for it, and no object."""

TYPES = {
    "": NO_TYPE,
    " ": NO_TYPE,
    "json": NO_TYPE,
    "*/*": NO_TYPE,
    "application": NO_TYPE,
    "application/": NO_TYPE,
    "application/*": NO_TYPE,
    "application/octet-stream": NO_TYPE,
    "application/x-www-form-urlencoded": NO_TYPE,
    "application/x-json": NO_TYPE,
    "application/jsonp": NO_TYPE,
    "application/json5": NO_TYPE,
    "application/json-seq": NO_TYPE,
    "application/javascript": NO_TYPE,
    "application/xml": NO_TYPE,
    "application/yaml": NO_TYPE,
    "application json": NO_TYPE,
    "application//json": NO_TYPE,
    "application/json/x": NO_TYPE,
    "multipart/form-data; boundary=a": NO_TYPE,
    "multipart/mixed; boundary=" + "a" * 10_000: NO_TYPE,
    "text/plain": NO_TYPE,
    "text/json": NO_TYPE,
    "text/html; charset=utf-7": NO_TYPE,
    "text/calendar": NO_TYPE,
    "message/rfc822": NO_TYPE,
    "\x00": NO_TYPE,
    "application/json\x00": NO_TYPE,
    "application/\u017fon": NO_TYPE,
    "a" * 50_000: NO_TYPE,
    "application/json": "200",
    "APPLICATION/JSON": "200",
    "application/json;": "200",
    "application/json ; charset=utf-8": "200",
    "application/json; charset=utf-16": "200",
    "application/json; charset=ibm037": "200",
    "application/json; charset=utf-7": "200",
    'application/json; charset="\'; DROP TABLE cron_jobs; --"': "200",
    "application/json; " + "a=b; " * 5000: "200",
    "application/merge-patch+json": "200",
    "application/vnd.api+json; profile=a": "200",
}
"""Content types of a body that is good JSON: its bytes are UTF-8, whatever is said of them."""

_NAMED = json.dumps(JOB | {"name": "new"}).encode()[:-1]


def with_field(name: str, raw: bytes) -> bytes:
    """A good job but for one field, whose value is these bytes."""
    others = {each: value for each, value in (JOB | {"name": "new"}).items() if each != name}
    return json.dumps(others).encode()[:-1] + f', "{name}": '.encode() + raw + b"}"


def padded(size: int) -> bytes:
    """A good job of so many bytes, with blanks in it."""
    return _NAMED + b" " * (size - len(_NAMED) - 1) + b"}"


UNSENT = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e400",
    b"-1e400",
    b'{"a": [1e309]}',
    b"18446744073709551616",
    b"-9223372036854775809",
    b"1" + b"0" * 400,
    b"1e300",
    b"[" * 65 + b"1" + b"]" * 65,
    b'{"a":' * 65 + b"1" + b"}" * 65,
    b'[{"a":' * 33 + b"1" + b"}]" * 33,
    b'"\\u0000"',
    b'{"\\u0000": 1}',
    b'{"a": "b\\u0000c"}',
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'["\\udfff"]',
    b'{"\\ud800": 1}',
    b"[" + b"1e15," * 30_000 + b"1]",
)
"""Of what a job is to send, which may be any JSON that can be stored and sent."""

KEPT: dict[bytes, Any] = {
    b"-0": 0,
    b"-0.0": 0.0,
    b"1e-400": 0.0,
    b"9223372036854775807": 2**63 - 1,
    b"[18446744073709551615]": [2**64 - 1],
    b"-9223372036854775808": -(2**63),
    b"0.1": 0.1,
    b"1e15": 1e15,
    b'""': "",
    b"[]": [],
    b"{}": {},
    b"false": False,
    b'{"": {"": ""}}': {"": {"": ""}},
    b'{"__proto__": {"constructor": {"prototype": 1}}}': {"__proto__": {"constructor": {"prototype": 1}}},
    b'"\\ud83d\\udca9"': "\U0001f4a9",
    b'"\\u202etxt.exe\\u2028\\ufeff\\uffff"': "\u202etxt.exe\u2028\ufeff\uffff",
    b'"\\u0001\\u001b[2J\\u007f\\u0085"': "\x01\x1b[2J\x7f\x85",
    b'"\\\\u0000 \\\\x00"': "\\u0000 \\x00",
    b"[" * 64 + b"]" * 64: json.loads("[" * 64 + "]" * 64),
    b'{"a":' * 63 + b"1" + b"}" * 63: json.loads('{"a":' * 63 + "1" + "}" * 63),
}
"""And what is kept of it, as it is."""
