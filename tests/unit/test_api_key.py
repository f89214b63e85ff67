from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.domain.access import Caller, Scope, is_local
from app.domain.api_key import ApiKey, compose, digest_of, hint_of, is_possible

NOW = datetime(2027, 3, 1, tzinfo=UTC)
KEY = compose(bytes(range(32)))


def key(**more: datetime) -> ApiKey:
    known = {"id": UUID(int=1), "name": "ci", "hint": "", "digest": "", "scopes": frozenset({Scope.JOBS_READ})}
    return ApiKey(**known, created_at=NOW, **more)  # type: ignore[arg-type]  # one dict of several types


def test_a_key_has_a_form_that_a_scanner_knows() -> None:
    for secret in (bytes(32), b"\xff" * 32, secrets.token_bytes(32)):
        assert re.fullmatch(r"cronledger_[0-9A-Za-z]{49}", compose(secret))
        assert is_possible(compose(secret))


def test_every_bit_counts() -> None:
    changed = {compose((1 << bit).to_bytes(32)) for bit in range(256)}
    assert len(changed | {compose(bytes(32))}) == 257


@pytest.mark.parametrize("at", range(len("cronledger_"), len(KEY)))
def test_a_mistyped_key_is_none(at: int) -> None:
    other = "0" if KEY[at] != "0" else "1"
    assert not is_possible(KEY[:at] + other + KEY[at + 1 :])
    assert not is_possible(KEY[:at] + KEY[at + 1 :])


@pytest.mark.parametrize(
    ("told", "possible"),
    [("x" * 32, True), ("x" * 31, False), ("x" * 256, False), ("x" * 31 + " ", False), ("ü" * 32, False), ("", False)],
)
def test_an_operators_own_key_is_long_and_visible(told: str, *, possible: bool) -> None:
    assert is_possible(told) is possible


def test_a_hint_tells_little() -> None:
    assert hint_of(KEY) == KEY[:17]
    assert hint_of("s3cret" * 6) == "s3cr"
    assert digest_of(KEY) != digest_of(KEY + "x")
    assert len(digest_of(KEY)) == 64


def test_a_key_holds_until_it_expires_or_is_revoked() -> None:
    assert key().holds(NOW)
    assert key(expires_at=NOW + timedelta(seconds=1)).holds(NOW)
    assert not key(expires_at=NOW).holds(NOW)
    assert not key(revoked_at=NOW).holds(NOW)


def test_admin_includes_all_and_nothing_else_includes_anything() -> None:
    for held in Scope:
        caller = Caller("1", "ci", frozenset({held}))
        allowed = {scope for scope in Scope if caller.may(scope)}
        assert allowed == (set(Scope) if held is Scope.ADMIN else {held})


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_what_is_on_this_machine(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["", "::", "10.0.0.1", "localhost.example", "::ffff:10.0.0.1", "127.0.0.1x"])
def test_what_is_not(host: str) -> None:
    assert not is_local(host)
