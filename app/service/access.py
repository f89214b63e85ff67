"""Who a request comes from, and whether they may do what it asks for."""

from __future__ import annotations

from typing import Protocol

from app.domain.access import ANYBODY, FIRST_KEY, Caller, Scope
from app.domain.errors import Forbidden, Unauthenticated
from app.domain.namespace import Quotas
from app.service.known_keys import KnownKeys
from app.service.known_namespaces import KnownNamespaces

SEND = "Send `Authorization: Bearer <key>`."


class Tokens(Protocol):
    """Reads what an identity provider has signed."""

    def is_token(self, told: str) -> bool: ...

    async def caller(self, told: str) -> Caller:
        """Raises Unauthenticated, IdentityUnavailable."""
        ...


class AccessService:
    """`required` is false where the operator has turned this off; `tokens` are those of an identity provider."""

    def __init__(
        self, keys: KnownKeys, namespaces: KnownNamespaces, *, tokens: Tokens | None = None, required: bool = True
    ) -> None:
        self._keys = keys
        self._namespaces = namespaces
        self._tokens = tokens
        self.required = required

    async def caller(self, told: str | None, *, nearby: bool) -> Caller:
        """Of the key or token that was told, if there was one.

        As long as there has never been a key, nor an identity provider, none is needed on this machine, which is where
        `nearby` ones come from. Raises Unauthenticated, StoreUnavailable, IdentityUnavailable.
        """
        if not self.required:
            return ANYBODY
        if told is not None:
            return await self._holder(told)
        if not await self.asks_nobody():
            raise Unauthenticated("The request has no API key.", remedy=SEND)
        if not nearby:
            raise Unauthenticated("Without any API key made, only this machine is served.", remedy=f"{FIRST_KEY}.")
        return ANYBODY

    async def asks_nobody(self) -> bool:
        """Whether whoever is on this machine needs nothing. Raises StoreUnavailable."""
        return not self.required or (self._tokens is None and await self._keys.none_yet())

    async def enter(self, caller: Caller, wanted: str | None) -> tuple[str, Quotas]:
        """The namespace in which the caller acts, and what it may have: their own, unless operators name another.

        Raises Forbidden, StoreUnavailable.
        """
        namespace = wanted or caller.namespace
        allowed = namespace == caller.namespace or caller.is_operator
        quotas = await self._namespaces.quotas(namespace) if allowed else None
        if quotas is None:
            raise Forbidden(
                f"There is no namespace {namespace} in which {caller.name} may act.",
                remedy="Leave the header Cronledger-Namespace out, or use a key of that namespace.",
            )
        return namespace, quotas

    async def _holder(self, told: str) -> Caller:
        if self._tokens is not None and self._tokens.is_token(told):
            return await self._tokens.caller(told)
        key = await self._keys.find(told)
        if key is None:
            raise Unauthenticated("The API key is unknown, or revoked, or has expired.", remedy="Use another key.")
        return key.caller


def check(caller: Caller, scope: Scope) -> None:
    """Raises Forbidden."""
    if not caller.may(scope):
        raise Forbidden(f"{caller.name} may not do this: it takes the scope {scope}.", remedy="Use a key that has it.")
