"""What a target says back, without the secrets that it was sent."""

from __future__ import annotations

import json

import pytest

from app.domain.revealed import Revealed
from app.domain.run import Call
from app.target.address import Targets
from app.target.reach import Reach
from app.target.redaction import Redaction
from app.target.rule import read_rules
from tests.unit.target.servers import Names
from tests.unit.target.types import MakeCall, OpenTarget, Serve

HIDDEN = 'pä"ss/w\\ord+1'
HIDES = Redaction([HIDDEN])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"<{HIDDEN}>", "<***>"),
        (json.dumps({"you sent": HIDDEN}), '{"you sent": "***"}'),
        (json.dumps({"you sent": HIDDEN}, ensure_ascii=False), '{"you sent": "***"}'),
        (json.dumps(json.dumps(HIDDEN)), '"\\"***\\""'),
        (json.dumps(HIDDEN).replace("/", "\\/"), '"***"'),
        ("?t=p%C3%A4%22ss/w%5Cord%2B1&u=1", "?t=***&u=1"),
        ("?t=p%C3%A4%22ss%2Fw%5Cord%2B1&u=1", "?t=***&u=1"),
        (f"{HIDDEN}{HIDDEN}", "******"),
        (f"it begins {HIDDEN[:7]}", "it begins ***"),
        ("nothing of it", "nothing of it"),
        ("", ""),
    ],
)
def test_a_value_is_hidden_in_every_form(said: str, told: str) -> None:
    assert HIDES(said) == told


@pytest.mark.parametrize("said", ["ab\\u003ccd\\u0026e", "ab&lt;cd&amp;e", "ab<cd&e", "ab%3Ccd%26e"])
def test_a_value_is_hidden_as_other_languages_write_it(said: str) -> None:
    assert Redaction(["ab<cd&e"])(f"<p>{said}</p>") == "<p>***</p>"


def test_the_longer_of_two_is_hidden_whole() -> None:
    assert Redaction(["token", "token-of-billing"])("token-of-billing, token") == "***, ***"


def test_what_is_no_longer_than_a_word_is_let_stand() -> None:
    assert Redaction(["abc", ""])("abc") == "abc"
    assert not Redaction(["abc"])


async def test_an_echo_is_kept_without_them(open_target: OpenTarget, serve: Serve, make_call: MakeCall) -> None:
    async def reveal(call: Call) -> Revealed:
        return Revealed(call=call, headers={}, body=None, hidden=frozenset({"s3cr3t" * 20}))

    body = b"x" * 2000 + b"s3cr3t" * 20 + b"!"
    _, at = await serve(b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    target = await open_target(reveal=reveal)
    outcome = await target.call(make_call(f"http://{at}/"))
    assert outcome.response_excerpt == "x" * 2000 + "***!"


async def test_the_kind_of_a_failure_stays(open_target: OpenTarget, make_call: MakeCall) -> None:
    async def reveal(call: Call) -> Revealed:
        return Revealed(call=call, headers={}, body=None, hidden=frozenset({"connect:", "refused"}))

    target = await open_target(reveal=reveal)
    outcome = await target.call(make_call("http://127.0.0.1:9/"))
    assert outcome.error == "connect: connection ***"


async def test_an_echo_that_is_cut_off_is_kept_without_its_beginning(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    async def reveal(call: Call) -> Revealed:
        return Revealed(call=call, headers={}, body=None, hidden=frozenset({"s3cr3t-of-mine"}))

    _, at = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\nyours: s3cr3t-of")
    target = await open_target(reveal=reveal)
    outcome = await target.call(make_call(f"http://{at}/", timeout_seconds=0.2))
    assert outcome.response_excerpt == "yours: ***"


SECRET = "CANARY two  blanks 'and' \"quotes\" abcdefghijklmnopqrstuvwxyz0123456789" + "ABCDEFGHIJ" * 7


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 200 OK\r\nX: {before}{secret}{after}\r\n\r\n",
        "HTTP/1.1 200 {before}{secret}{after}\r\n\r\n",
        "HTTP/1.1 {secret}\r\n\r\n",
        "{secret}\r\n\r\n",
        "HTTP/1.1 200 OK\r\n{secret}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: {secret}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{secret}\r\n",
        "HTTP/1.1 302 Found\r\nLocation: ftp://{before}{secret}/\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: ftp://{secret}/\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: //h:1/{secret}#\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http:{secret}\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://{secret}@h/\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://h:123456789{secret}/\r\n\r\n",
    ],
)
async def test_no_error_tells_a_piece_of_them(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall, answer: str
) -> None:
    """Also where what was read is cut off, or told in another form, so that it is not recognised."""

    async def reveal(call: Call) -> Revealed:
        return Revealed(call=call, headers={}, body=None, hidden=frozenset({SECRET}))

    said = answer.format(before="q" * 70, secret=SECRET, after="z" * 9000)
    _, at = await serve(said.encode())
    target = await open_target(reveal=reveal)
    outcome = await target.call(make_call(f"http://{at}/", max_redirects=1))
    assert outcome.error
    told = outcome.error + (outcome.response_excerpt or "")
    assert [SECRET[at : at + 6] for at in range(len(SECRET) - 5) if SECRET[at : at + 6] in told] == []


@pytest.mark.parametrize(
    "location", ["http://CANARYsecret.test/", "http://169.254.169.254:80/", "//canarySECRET.test/"]
)
async def test_nor_does_a_refusal_tell_one_as_a_host(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall, location: str
) -> None:
    async def reveal(call: Call) -> Revealed:
        return Revealed(call=call, headers={}, body=None, hidden=frozenset({"CANARYsecret", "169.254.169.254"}))

    _, at = await serve(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode())
    reach = Reach(Targets.PUBLIC, read_rules("127.0.0.1"), read_rules("*.test"))
    target = await open_target(reach, resolver=Names(), reveal=reveal)
    outcome = await target.call(make_call(f"http://{at}/", max_redirects=1))
    assert outcome.error is not None
    assert outcome.error.startswith("refused: redirect: ***")
