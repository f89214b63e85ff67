"""What a job's owner wrote, as it is stored: credentials encrypted, and each secret that it names there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from app.db.transaction import Transaction
from app.domain.errors import InvalidInput, SecretUnreadable, UnknownSecret, UnsendableSecret
from app.domain.job import JobDefinition
from app.domain.masking import MASK, is_credential, masked_headers
from app.domain.notice import Notify
from app.domain.secret import HeaderValue, names_in, sealed, sealed_token, secret_name
from app.target.endpoint import canonical_endpoint
from app.target.signature import check_signing_key
from app.target.tls import check_certificate
from app.vault.sealer import Sealer

_MOST = 32
"""Secrets of one job: each of them is looked for in what its target answers."""

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
        if known == value and not sealer:
            return value  # a job of before goes on as it is
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


async def hold_secrets(
    tx: Transaction, definition: JobDefinition, stored: JobDefinition | None, sealer: Sealer
) -> None:
    """What is named anew stays until the transaction ends, and then its carriers are seen.

    Raises UnknownSecret, InvalidInput.
    """
    known = secrets_of(stored) if stored else {}
    wanted = {name: field for name, field in secrets_of(definition).items() if name not in known}
    if wanted and len(secrets_of(definition)) > _MOST:
        raise InvalidInput(f"It names more than {_MOST} secrets.", field="body", remedy="Put several into one.")
    held = await tx.secrets.hold(wanted) if wanted else set()
    for name, field in wanted.items():
        if name not in held:
            raise _unknown(name, field)
    await _check_values(tx, "signing", definition.policies.signing, sealer, check_signing_key)
    if shown := definition.policies.tls.client_certificate:
        await _check_values(tx, "tls", [shown], sealer, check_certificate)


def _unknown(name: str, field: str) -> UnknownSecret:
    """What a body holds may be a value, by mistake, and is not said back."""
    if field == "body":
        return UnknownSecret(
            'body: it holds a {"secret": ...} that names no secret.',
            field=field,
            remedy="POST /v1/secrets makes it; to send such an object itself, send the body as a string.",
        )
    return UnknownSecret(f"{field}: there is no secret named {name}.", field=field, remedy="POST /v1/secrets makes it.")


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
    """With each header turned into another, of the job and of its notices."""
    headers = _turned(definition.headers, stored.headers if stored else {}, "headers", turned)
    before = _counterparts(definition.policies.notify, stored.policies.notify if stored else ())
    notify = tuple(
        replace(rule, headers=_turned(rule.headers, known, f"notify.{index}.headers", turned))
        for index, (rule, known) in enumerate(zip(definition.policies.notify, before, strict=True))
    )
    return replace(definition, headers=headers, policies=replace(definition.policies, notify=notify))


def _counterparts(rules: Sequence[Notify], stored: Sequence[Notify]) -> Iterator[Headers]:
    """What is stored of each rule: those of one endpoint are told apart by their order."""
    waiting: dict[str, list[Headers]] = defaultdict(list)
    for rule in stored:
        waiting[_endpoint(rule)].append(rule.headers)
    for rule in rules:
        found = waiting[_endpoint(rule)]
        yield found.pop(0) if found else {}


def _endpoint(rule: Notify) -> str:
    """In its canonical form, if it has one."""
    try:
        return canonical_endpoint(rule.endpoint)
    except InvalidInput:
        return rule.endpoint


def _turned(headers: Headers, stored: Headers, field: str, turned: Turn) -> Headers:
    known = {name.lower(): value for name, value in stored.items()}
    return {name: turned(name, value, known.get(name.lower()), f"{field}.{name}") for name, value in headers.items()}


def _behind(name: str, value: HeaderValue, known: HeaderValue | None, field: str) -> HeaderValue:
    if value != MASK:
        return value
    if known is not None and masked_headers({name: known})[name] == MASK:
        return known
    if is_credential(name):
        raise InvalidInput(
            f"{field}: {MASK} stands for a value that is stored, and there is none.", field=field, remedy="Send it."
        )
    return value


def _opened(value: HeaderValue, sealer: Sealer) -> str | None:
    token = sealed_token(value)
    try:
        return None if token is None else sealer.open(token)
    except SecretUnreadable:
        return None
