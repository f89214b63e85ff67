"""Tokens that somebody made up, bent, or had made for something else; and what becomes of each."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.jws import JWSRegistry

from tests.hostile.credentials import IN, LESS, OUT
from tests.servers.provider import AUDIENCE, ISSUER, claims, new_key

Tokens = dict[str, tuple[str, str]]
"""By what is odd about them: the token, and how it is answered."""

HEADER = {"alg": "ES256", "kid": "one"}
_EVIL = "https://evil.example/keys"


def encoded(part: object) -> str:
    """In base64url: bytes as they are, all else as JSON."""
    told = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(told).decode().rstrip("=")


def made(header: object, payload: object, key: Key | None = None, algorithm: str = "ES256") -> str:
    """Of a header and a payload, whatever they are; without a key it has no signature."""
    told = f"{encoded(header)}.{encoded(payload)}"
    signature = b"" if key is None else JWSRegistry.algorithms[algorithm].sign(told.encode(), key)
    return f"{told}.{encoded(signature)}"


def by_secret(header: object, payload: object, secret: bytes) -> str:
    """Signed by HS256, whatever the header says."""
    told = f"{encoded(header)}.{encoded(payload)}"
    return f"{told}.{encoded(hmac.digest(secret, told.encode(), hashlib.sha256))}"


def of_algorithms(one: ECKey, rsa: RSAKey, now: float) -> Tokens:
    """Other ways to sign than the provider's."""
    good = claims(now, scope="admin")
    none = {f"alg {name}": made(HEADER | {"alg": name}, good) for name in ("none", "None", "NONE", "nOnE", "", " ")}
    odd = [None, 0, True, [], ["ES256"], {}, {"ES256": 1}, "ES256\0", "es256", "ES256 ", "\ud800", "a" * 300]
    typed = {f"alg {name!r:.20}": made(HEADER | {"alg": name}, good, one) for name in odd}
    secrets = {
        f"HS256 by {kind} of {kid}": by_secret({"alg": "HS256", "kid": kid}, good, secret)
        for kid, key in (("one", one), ("rsa", rsa))
        for kind, secret in {
            "PEM": key.as_pem(private=False),
            "stripped PEM": key.as_pem(private=False).strip(),
            "DER": key.as_der(private=False),
            "JWK": json.dumps(key.as_dict(private=False)).encode(),
            "nothing": b"",
        }.items()
    }
    told = {
        "no alg": made({"kid": "one"}, good, one),
        "ES256 by a secret": by_secret(HEADER, good, one.as_pem(private=False)),
        "HS256 by nobody": made(HEADER | {"alg": "HS256"}, good),
        "ES384 by a key of ES256": made(HEADER | {"alg": "ES384"}, good, one),
        "RS256 by a key of ES256": made(HEADER | {"alg": "RS256"}, good, one),
        "ES256 by a key of RS256": made(HEADER | {"kid": "rsa"}, good, rsa, "RS256"),
        "PS256": made({"alg": "PS256", "kid": "rsa"}, good, rsa, "PS256"),
        "RS512": made({"alg": "RS512", "kid": "rsa"}, good, rsa, "RS512"),
        "EdDSA": made(HEADER | {"alg": "EdDSA"}, good, one),
        "encrypted": made({"alg": "dir", "enc": "A128GCM", "kid": "one"}, good) + ".a.b",
        "encryption for alg": made({"alg": "RSA-OAEP", "enc": "A128GCM", "kid": "rsa"}, good),
    }
    return {name: (token, OUT) for name, token in (none | typed | secrets | told).items()} | {
        "RS256": (made({"alg": "RS256", "kid": "rsa"}, good, rsa, "RS256"), IN),
        "ES256": (made(HEADER, good, one), IN),
    }


def of_headers(one: Key, now: float) -> Tokens:
    """Headers that name a key of somebody else's, or ask for more than is known."""
    good, evil = claims(now, scope="admin"), new_key("one")
    public = evil.as_dict(private=False)
    places = {"jku": _EVIL, "x5u": _EVIL, "jwk": public, "x5c": ["MIIB"], "x5t": "a", "x5t#S256": "a"}
    evils = {f"{name} of another": made(HEADER | {name: value}, good, evil) for name, value in places.items()}
    kids: list[Any] = ["../../../../dev/null", "/dev/null", "file:///dev/null", _EVIL, "| id", "", " ", "One", "one\0"]
    kids += ["' UNION SELECT 'a' --", "a" * 300, "\ud800", "*", None, 0, 1.5, True, [], ["one"], {}, {"kid": "one"}]
    named = {f"kid {kid!r:.30}": made(HEADER | {"kid": kid}, good, evil) for kid in kids}
    crits: list[Any] = [[], ["exp"], ["a"], ["alg", "a"], "exp", 1, [1], [None], [[]], {"a": 1}]
    critical = {f"crit {crit!r}": made(HEADER | {"crit": crit}, good, one) for crit in crits}
    told = {
        "the kid of another key": made(HEADER | {"kid": "rsa"}, good, one),
        "no kid": made({"alg": "ES256"}, good, one),
        "an unknown header": made(HEADER | {"a": 1}, good, one),
        "b64": made(HEADER | {"b64": False, "crit": ["b64"]}, good, one),
        "zip": made(HEADER | {"zip": "DEF"}, good, one),
        "a jku that is no URL": made(HEADER | {"jku": 1}, good, one),
        "a typ that is a number": made(HEADER | {"typ": 1}, good, one),
        "a large header": made(HEADER | {"x5c": ["A" * 600]}, good, one),
        "a huge header": made(HEADER | {"x5c": ["A" * 10_000]}, good, one),
        "a header within a header": made(b'{"alg":' + b'{"alg":' * 60 + b"1" + b"}" * 61, good),
        "two algs": made(b'{"alg":"ES256","kid":"one","alg":"none"}', good),
        "NaN": made(b'{"alg":NaN,"kid":"one"}', good),
        "no UTF-8": made(b'{"alg":"ES256","kid":"\xff"}', good, one),
        "a header that ends early": made(b'{"alg":"ES256","kid":"one"', good, one),
        "no object": "eyJ9." + encoded(good) + ".",
    }
    return {name: (token, OUT) for name, token in (evils | named | critical | told).items()}


def of_claims(key: Key, now: float) -> Tokens:
    """Signed as they should be, and made for others, for another time, or by a provider that is out of its mind."""
    good = claims(now, scope="admin")
    instants: list[Any] = ["", "soon", str(int(now) + 300), None, True, [], [int(now) + 300], {}, 10**30, -1, 0, -1e300]
    wrong: dict[str, list[Any]] = {
        "iss": ["https://other.example", f"{ISSUER}/", ISSUER.upper(), "", None, 1, True, [], [ISSUER], {ISSUER: 1}],
        "aud": ["other", f"{AUDIENCE} ", AUDIENCE.upper(), "", None, 1, True, [], ["other"], {}, {AUDIENCE: 1}, [[]]],
        "sub": ["", None, 0, 7, True, [], ["alice"], {}, "a\0b", "\ud800", "a" * 1025],
        "exp": [*instants, now - 31, int(now) - 3600, "9" * 5000],
        "nbf": ["", "soon", "1", [], {}, now + 600, 10**30],
        "iat": ["", "soon", [], {}, now + 600, 10**30],
    }
    bent = {
        f"{name} {value!r:.40}": (made(HEADER, good | {name: value}, key), OUT)
        for name, values in wrong.items()
        for value in values
    }
    bare = {f"no {name}": (made(HEADER, {**good, name: None}, key), OUT) for name in ("iss", "aud", "sub", "exp")}
    raw = json.dumps({name: value for name, value in good.items() if name != "exp"}).encode()[:-1]
    numbers = {
        f"exp {number:.10}": (made(HEADER, raw + f', "exp": {number}}}'.encode(), key), OUT)
        for number in ("1e400", "-1e400", "NaN", "Infinity", "-0", "1" * 5000)
    }
    payloads: list[bytes] = [
        b"",
        b"[]",
        b"null",
        b"1",
        b'"a"',
        b"{",
        b"\xff",
        b"{}",
        b"{}{}",
        b'\xef\xbb\xbf{"sub": 1}',
    ]
    forms = {f"payload {each!r:.20}": (made(HEADER, each, key), OUT) for each in payloads}
    return (
        bent
        | bare
        | numbers
        | forms
        | {
            "exp with a fraction": (made(HEADER, good | {"exp": now + 300.5}, key), IN),
            "aud among others": (made(HEADER, good | {"aud": ["other", AUDIENCE]}, key), IN),
            "nobody's claims": (
                made(HEADER, good | {"__proto__": {"scope": "admin"}, "": [], "scope": "jobs:read"}, key),
                IN,
            ),
        }
    )


def of_scopes(key: Key, now: float) -> Tokens:
    """That allow nothing, or less than what is asked for."""
    nothing: list[Any] = [
        None,
        "",
        " ",
        "ADMIN",
        "Admin",
        "admin,jobs:read",
        "admin;",
        "jobs:*",
        "*",
        "jobs:read*",
        "jobs",
    ]
    nothing += ["runs:read", "jobs:write runs:read runs:trigger", "adm\0in", "\u0430dmin", "admin\u200b", 1, True, {}]
    nothing += [
        {"admin": True},
        [],
        [["admin"]],
        [{"admin": 1}],
        ["admin jobs:read"],
        ["ADMIN"],
        [None],
        ["*"],
        "a " * 1500,
    ]
    told = {f"scope {scope!r:.40}": (made(HEADER, claims(now, scope=scope), key), LESS) for scope in nothing}
    return told | {
        "scopes": (made(HEADER, claims(now, scopes="admin", roles=["admin"], scp="admin", admin=True), key), LESS),
        "scope twice": (made(HEADER, claims(now, scope="jobs:read jobs:read"), key), IN),
    }


def of_forms(key: Key, now: float) -> Tokens:
    """Of which something was cut off, exchanged or added."""
    good, less = made(HEADER, claims(now, scope="admin"), key), made(HEADER, claims(now, scope="runs:read"), key)
    head, body, signature = good.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    told = {
        "cut by one": good[:-1],
        "cut by many": good[:-20],
        "two parts": f"{head}.{body}",
        "one part": head,
        "no payload": f"{head}..{signature}",
        "no header": f".{body}.{signature}",
        "a dot more": f"{good}.",
        "a dot before": f".{good}",
        "five parts": f"{good}.{body}.{signature}",
        "padding": f"{head}==.{body}.{signature}",
        "a blank within": f"{head}. {body}.{signature}",
        "quotes": f'"{good}"',
        "a letter changed": f"{head}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}",
        "the signature of another": f"{head}.{body}.{less.split('.')[2]}",
        "the claims of another": f"{less.split('.')[0]}.{body}.{less.split('.')[2]}",
        "no signature": f"{head}.{body}.",
        "a signature of zeros": f"{head}.{body}.{encoded(bytes(64))}",
        "a signature of zeros in DER": f"{head}.{body}.{encoded(bytes.fromhex('3006020100020100'))}",
        "half a signature": f"{head}.{body}.{encoded(raw[:32])}",
        "a signature and more": f"{head}.{body}.{encoded(raw + bytes(1))}",
        "a huge signature": f"{head}.{body}.{'A' * 10_000}",
        "a huge payload": f"{head}.{'A' * 15_000}.{signature}",
        "huge": f"{head}.{'A' * 1_000_000}.{signature}",
        "a deep payload": made(HEADER, b"[" * 10_000) + signature,
        "a deep payload of theirs": made(HEADER, b"[" * 10_000, key),
        "a token within": made(HEADER | {"cty": "JWT"}, good.encode(), key),
        "JSON": json.dumps({"protected": head, "payload": body, "signature": signature}),
        "the other alphabet": good.replace("-", "+").replace("_", "/") + "+/",
        "by somebody else": made(HEADER, claims(now, scope="admin"), new_key("one")),
    }
    return {name: (token, OUT) for name, token in told.items()}
