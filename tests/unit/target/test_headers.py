from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.domain.errors import InvalidInput
from app.domain.revealed import plain
from app.domain.run import Trigger
from app.target.body import call_body
from app.target.headers import call_headers, check_headers
from tests.unit.target.types import MakeCall

NOW = datetime(2026, 11, 24, 9, 0, 7, 900_000, tzinfo=UTC)
RUN_ID = "0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b"


def test_a_call_says_of_which_run_it_is_an_attempt(make_call: MakeCall) -> None:
    headers = dict(call_headers(plain(make_call(trigger=Trigger.CATCH_UP)), NOW))
    traceparent = headers.pop("traceparent")
    assert headers == {
        "Idempotency-Key": RUN_ID,
        "webhook-id": RUN_ID,
        "webhook-timestamp": str(int(NOW.timestamp())),
        "Cronledger-Job": "nightly",
        "Cronledger-Scheduled-For": "2026-11-24T09:00:00Z",
        "Cronledger-Attempt": "2",
        "Cronledger-Trigger": "catch_up",
    }
    assert re.fullmatch(r"00-0193a1b2c3d48e5f9a0b1c2d3e4f5a6b-[0-9a-f]{16}-01", traceparent)


def test_each_attempt_is_a_span_of_its_own(make_call: MakeCall) -> None:
    assert call_headers(plain(make_call()), NOW)["traceparent"] != call_headers(plain(make_call()), NOW)["traceparent"]


def test_a_scheduled_instant_is_said_in_utc_with_the_microseconds_it_has(make_call: MakeCall) -> None:
    at = datetime(2026, 11, 24, 10, 0, 0, 250, tzinfo=timezone(timedelta(hours=1)))
    assert (
        call_headers(plain(make_call(scheduled_for=at)), NOW)["Cronledger-Scheduled-For"]
        == "2026-11-24T09:00:00.000250Z"
    )


def test_a_name_outside_ascii_is_percent_encoded(make_call: MakeCall) -> None:
    headers = call_headers(plain(make_call(job_name="nächtlich/50%\r\n")), NOW)
    assert headers["Cronledger-Job"] == "n%C3%A4chtlich%2F50%25%0D%0A"


def test_a_job_adds_headers_and_overrides_none_of_ours(make_call: MakeCall) -> None:
    added = {
        "X-Team": "billing",
        "IDEMPOTENCY-key": "mine",
        "cronledger-attempt": "1",
        "Host": "other.test",
        "content-length": "0",
        "connection": "close",
    }
    headers = call_headers(plain(make_call(headers=added)), NOW)
    assert headers["X-Team"] == "billing"
    assert headers.getall("idempotency-key") == [RUN_ID]
    assert headers.getall("Cronledger-Attempt") == ["2"]
    assert not {"host", "content-length", "connection"} & {name.lower() for name in headers}


def test_ordinary_headers_are_allowed() -> None:
    check_headers({"Authorization": "Bearer abc", "Content-Type": "text/xml", "X-Empty": "", "Cookie": "a=b; c=d"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "x"),
        ("X Y", "x"),
        ("X:Y", "x"),
        ("X-É", "x"),
        ("X\r\nY", "x"),
        ("X-Y", "a\r\nb: c"),
        ("X-Y", "a\nb"),
        ("X-Y", "a\0b"),
        ("X-Y", "\x1b[31m"),
        ("X-Y", "é"),
        ("Host", "other.test"),
        ("Content-Length", "3"),
        ("transfer-encoding", "chunked"),
        ("Connection", "close"),
        ("Keep-Alive", "x"),
        ("TE", "x"),
        ("Trailer", "x"),
        ("Upgrade", "x"),
        ("Expect", "100-continue"),
        ("Proxy-Authorization", "x"),
        ("Accept-Encoding", "gzip"),
        ("User-Agent", "x"),
        ("traceparent", "x"),
        ("Idempotency-Key", "x"),
        ("Webhook-Signature", "x"),
        ("cronledger-anything", "x"),
    ],
)
def test_a_header_that_a_job_may_not_send_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_headers({"X-Fine": "yes", name: value})
    assert caught.value.field == f"headers.{name}"
    assert caught.value.remedy


def test_one_header_in_two_spellings_is_refused() -> None:
    with pytest.raises(InvalidInput, match="given twice"):
        check_headers({"X-Team": "a", "x-team": "b"})


def test_a_call_without_a_body_sends_the_facts_of_the_run(make_call: MakeCall) -> None:
    body = call_body(plain(make_call(job_name="nächtlich")))
    assert body
    assert json.loads(body[0]) == {
        "run_id": RUN_ID,
        "job_id": "0193a1b2-0000-7000-8000-000000000001",
        "job": "nächtlich",
        "scheduled_for": "2026-11-24T09:00:00Z",
        "attempt": 2,
        "trigger": "schedule",
    }
    assert body[1] == "application/json"


def test_a_text_is_sent_as_it_is(make_call: MakeCall) -> None:
    assert call_body(plain(make_call(body="a=é\n"))) == ("a=é\n".encode(), "text/plain; charset=utf-8")
    assert call_body(plain(make_call(body=""))) == (b"", "text/plain; charset=utf-8")


@pytest.mark.parametrize("value", [{"a": [1, None]}, [], {}, 0, False, 1.5])
def test_any_other_value_is_sent_as_json(make_call: MakeCall, value: object) -> None:
    body = call_body(plain(make_call(body=value)))
    assert body
    assert json.loads(body[0]) == value
    assert body[1] == "application/json"


def test_get_and_head_have_no_body_of_themselves(make_call: MakeCall) -> None:
    assert call_body(plain(make_call(method="GET"))) is None
    assert call_body(plain(make_call(method="HEAD"))) is None
    assert call_body(plain(make_call(method="GET", body={"q": 1}))) == (b'{"q":1}', "application/json")


def test_a_notice_says_what_it_tells(make_call: MakeCall) -> None:
    assert call_headers(plain(make_call(event="failure")), NOW)["Cronledger-Event"] == "failure"
    assert "Cronledger-Event" not in call_headers(plain(make_call()), NOW)
