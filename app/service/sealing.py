"""What a job's owner wrote, as it is stored: credentials encrypted, and each secret that it names there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from app.db.transaction import Transaction
from app.domain.errors import InvalidInput, SecretUnreadable, UnknownSecret, UnsendableSecret
from app.domain.job import JobDefinition
from app.domain.masking import MASK, is_credential
from app.domain.secret import HeaderValue, names_in, sealed, sealed_token, secret_name
from app.target.signature import check_signing_key
from app.target.tls import check_certificate
from app.vault.sealer import Sealer

Headers = Mapping[str, HeaderValue]
Turn = Callable[[str, HeaderValue, HeaderValue | None, str], HeaderValue]
"""From a header's name, its value, what is stored of it, and its field, to what it is to be."""


def unmasked(definition: JobDefinition, stored: JobDefinition | None) -> JobDefinition:
    """With the stored value of each header that is masked, as a job has them that was read and is sent back.

    Raises InvalidInput for a mask behind which there is nothing.
    """
    return _each(definition, stored, _behind)


def encrypted(definition: JobDefinition, stored: JobDefinition | None, sealer: Sealer) -> JobDefinition:
    """With the headers encrypted that are named like credentials; one that is the same stays as it is stored.

    Raises InvalidInput where there is no key to encrypt with.
    """

    def encrypt(name: str, value: HeaderValue, known: HeaderValue | None, field: str) -> HeaderValue:
        if not isinstance(value, str) or not value or not is_credential(name):
            return value
        if known is not None and _opened(known, sealer) == value:
            return known
        return sealed(sealer.seal(value, field=field))

    return _each(definition, stored, encrypt)


def secrets_of(definition: JobDefinition) -> dict[str, str]:
    """The names of what its calls carry, each with the field that says so."""
    found = dict.fromkeys(names_in(definition.body), "body")
    policies = definition.policies
    for index, rule in enumerate(policies.notify):
        found |= _named(rule.headers, f"notify.{index}.headers")
    found |= _named(definition.headers, "headers")
    found |= dict.fromkeys(policies.signing, "signing")
    if policies.tls.client_certificate is not None:
        found[policies.tls.client_certificate] = "tls"
    return found | ({policies.auth.secret: "auth"} if policies.auth else {})


async def hold_secrets(tx: Transaction, definition: JobDefinition, sealer: Sealer) -> None:
    """They stay until the transaction ends, and then their carriers are seen. Raises UnknownSecret, InvalidInput."""
    wanted = secrets_of(definition)
    held = await tx.secrets.hold(wanted) if wanted else set()
    for name, field in wanted.items():
        if name not in held:
            raise UnknownSecret(
                f"{field}: there is no secret named {name}.", field=field, remedy="POST /v1/secrets makes it."
            )
    await _check_values(tx, "signing", definition.policies.signing, sealer, check_signing_key)
    if shown := definition.policies.tls.client_certificate:
        await _check_values(tx, "tls", [shown], sealer, check_certificate)


async def _check_values(
    tx: Transaction, field: str, names: Sequence[str], sealer: Sealer, check: Callable[[str], None]
) -> None:
    for name, token in (await tx.secrets.tokens(names)).items() if names else ():
        try:
            check(sealer.open(token))
        except UnsendableSecret as error:
            raise InvalidInput(
                f"{field}: the secret {name} can't be used here: {error.message}.",
                field=field,
                remedy="PUT another value, or name another secret.",
            ) from None


def _named(headers: Headers, field: str) -> dict[str, str]:
    return {name: f"{field}.{header}" for header, value in headers.items() if (name := secret_name(value)) is not None}


def _each(definition: JobDefinition, stored: JobDefinition | None, turned: Turn) -> JobDefinition:
    """With each header turned into another, of the job and of its notices, which are told apart by their endpoints."""
    headers = _turned(definition.headers, stored.headers if stored else {}, "headers", turned)
    known = {rule.endpoint: rule.headers for rule in stored.policies.notify} if stored else {}
    notify = tuple(
        replace(rule, headers=_turned(rule.headers, known.get(rule.endpoint, {}), f"notify.{index}.headers", turned))
        for index, rule in enumerate(definition.policies.notify)
    )
    return replace(definition, headers=headers, policies=replace(definition.policies, notify=notify))


def _turned(headers: Headers, stored: Headers, field: str, turned: Turn) -> Headers:
    known = {name.lower(): value for name, value in stored.items()}
    return {name: turned(name, value, known.get(name.lower()), f"{field}.{name}") for name, value in headers.items()}


def _behind(name: str, value: HeaderValue, known: HeaderValue | None, field: str) -> HeaderValue:
    if value != MASK or not is_credential(name):
        return value
    if known is None:
        raise InvalidInput(
            f"{field}: {MASK} stands for a value that is stored, and there is none.", field=field, remedy="Send it."
        )
    return known


def _opened(value: HeaderValue, sealer: Sealer) -> str | None:
    token = sealed_token(value)
    try:
        return None if token is None else sealer.open(token)
    except SecretUnreadable:
        return None
