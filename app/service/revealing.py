"""The secrets of a call, put where it is to carry them, just before it is sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from app.domain.clock import Clock
from app.domain.errors import SecretNotFound, StoreUnavailable, UnsendableSecret
from app.domain.masking import is_credential
from app.domain.namespace import qualified
from app.domain.revealed import Revealed
from app.domain.run import Call
from app.domain.secret import filled, names_in, sealed_token, secret_name
from app.service.known_secrets import KnownSecrets
from app.target.headers import sendable
from app.target.signature import check_signing_key

_LARGEST = 2**20
_LONGEST = 8192
_PAUSE = 1.0
"""Seconds between two looks into a database that is away."""


class Revealer:
    """`app.target` is handed this: it knows neither the database nor the keys."""

    def __init__(self, known: KnownSecrets, clock: Clock) -> None:
        self._known = known
        self._clock = clock

    async def __call__(self, call: Call) -> Revealed:
        """Waits for the database, for which the call's timeout is the limit.

        Raises SecretNotFound, SecretUnreadable and UnsendableSecret. A body may have held such an object before there
        were secrets: what names none of them is sent as it stands, and told to nobody.
        """
        in_body = Counter(names_in(call.body))
        named, shown = set(_named(call)), call.tls.client_certificate
        values = await self._values(call.namespace, in_body.keys() | named) if in_body or named else {}
        headers, hidden = self._headers(call, values)
        sent = {name: value for name, value in values.items() if name in in_body or name in named - {shown}}
        return Revealed(
            call=call,
            headers=headers,
            body=_body(call.body, in_body, values) if in_body else call.body,
            signing_keys=tuple(_signing_key(name, _value(values, name)) for name in call.signing),
            certificate=None if shown is None else _value(values, shown),
            hidden=frozenset({*sent.values(), *hidden, *([call.callback_token] if call.callback_token else [])}),
            in_body=not in_body.keys().isdisjoint(values),
        )

    async def _values(self, namespace: str, names: set[str]) -> dict[str, str]:
        keys = {name: qualified(namespace, name) for name in names}
        while True:
            try:
                values = await self._known.values(keys.values())
                return {name: values[key] for name, key in keys.items() if key in values}
            except StoreUnavailable:
                await self._clock.wait(asyncio.Event(), _PAUSE)

    def _headers(self, call: Call, values: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
        """In plain, and what of them is to be hidden."""
        headers: dict[str, str] = {}
        hidden: list[str] = []
        for name, value in call.headers.items():
            if (token := sealed_token(value)) is not None:
                headers[name] = self._known.open(token)
                hidden += _with_credentials(headers[name])
            elif (secret := secret_name(value)) is not None:
                headers[name] = _sendable(secret, _value(values, secret))
            else:
                headers[name] = str(value)
                hidden += _with_credentials(headers[name]) if is_credential(name) else []
        if call.auth is not None:
            secret = call.auth.secret
            headers["Authorization"] = _sendable(secret, call.auth.header(_value(values, secret)))
            hidden += _with_credentials(headers["Authorization"])
        return headers, hidden


def _named(call: Call) -> Iterator[str]:
    yield from (name for value in call.headers.values() if (name := secret_name(value)) is not None)
    yield from call.signing
    if call.auth is not None:
        yield call.auth.secret
    if call.tls.client_certificate is not None:
        yield call.tls.client_certificate


def _signing_key(name: str, value: str) -> str:
    """The value, which can sign."""
    try:
        check_signing_key(value)
    except UnsendableSecret as error:
        raise UnsendableSecret(f"the secret {name} can't sign: {error.message}") from None
    return value


def _value(values: Mapping[str, str], name: str) -> str:
    if name not in values:
        raise SecretNotFound(f"there is no secret named {name}")
    return values[name]


def _body(body: object, named: Counter[str], values: Mapping[str, str]) -> object:
    """With its secrets; a short body may name a long one many times."""
    if sum(len(values.get(name, "")) * times for name, times in named.items()) > _LARGEST:
        raise UnsendableSecret("the secrets that the body names are larger than 1 MiB together")
    return filled(body, values)


def _sendable(name: str, value: str) -> str:
    if len(value) > _LONGEST:
        raise UnsendableSecret(f"the secret {name} is longer than 8 KiB, which no header can carry")
    if not sendable(value):
        raise UnsendableSecret(f"the secret {name} holds a character that a header can't carry, such as a line's end")
    return value


def _with_credentials(value: str) -> Iterable[str]:
    """The value, and what stands behind a scheme such as Bearer."""
    return {value, value.partition(" ")[2].strip() or value}
