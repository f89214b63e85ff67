"""The route of every operation: who calls is known, and may do this, before anything of the request is carried out."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from app.api.json_request import JsonRequest
from app.api.nearby import address_of, is_nearby, network_of
from app.api.needs import NEEDS, NOBODY_ASKED, OPERATORS, PROBES
from app.api.rate import Buckets
from app.api.schemas.text import LEAVE_OUT
from app.domain.access import Caller, Scope
from app.domain.acting import Actor, acting
from app.domain.errors import (
    Forbidden,
    IdentityUnavailable,
    InvalidInput,
    StoreUnavailable,
    TooManyRequests,
    Unauthenticated,
)
from app.domain.namespace import DEFAULT
from app.service.access import SEND, AccessService, check

NAMESPACE = "Cronledger-Namespace"
"""The header by which operators act in a namespace that is not theirs."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Guarded(APIRoute):
    """Raises KeyError as it is made where nobody has said what its operation needs."""

    def get_route_handler(self) -> Handler:
        handle = self._guarded()

        async def read(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return read

    def _guarded(self) -> Handler:
        handle, operation = self.handler(), str(self.operation_id)
        if operation in PROBES:
            return handle
        if operation in NOBODY_ASKED:
            return _limited(handle)
        scope, known = NEEDS[operation], self._known_query()

        async def guarded(request: Request) -> Response:
            if operation in request.app.state.open_operations:
                return await _limited(handle)(request)
            request.state.caller = caller = await _admitted(request, scope)
            with acting(_actor(request, caller, await _entered(request, caller, operation))):
                _check_query(request, known)
                return await handle(request)

        return guarded

    def handler(self) -> Handler:
        """What is done once the caller may do it."""
        return super().get_route_handler()

    def _known_query(self) -> set[str] | None:
        """None where a model says which parameters there are, and refuses others."""
        asked = dict(_query_of(self.dependant))
        return None if any(map(_is_model, asked.values())) else set(asked)


def _check_query(request: Request, known: set[str] | None) -> None:
    """A `?dryrun=true` must not carry out what was to be rehearsed. Raises InvalidInput."""
    for name in request.query_params if known is not None else ():
        if name not in (known or ()):
            remedy = f"Use {', '.join(sorted(known))}, or none." if known else LEAVE_OUT
            raise InvalidInput(f"{name}: there is no such parameter here.", field=name, remedy=remedy)


def _query_of(dependant: Dependant) -> Iterator[tuple[str, object]]:
    """Names and kinds of the parameters, also of what it depends on."""
    yield from ((each.alias, each.field_info.annotation) for each in dependant.query_params)
    for other in dependant.dependencies:
        yield from _query_of(other)


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def caller_of(request: Request) -> Caller | None:
    """None for an operation that asks nobody."""
    return getattr(request.state, "caller", None)


async def is_still_admitted(request: Request, operation: str) -> bool:
    """For an answer that goes on: false once the key no longer allows it. Nobody is sent away while none can say."""
    try:
        await _allowed(request, NEEDS[operation])
    except (Unauthenticated, Forbidden):
        return False
    except (StoreUnavailable, IdentityUnavailable):
        until = request.state.caller.expires_at
        return until is None or datetime.now(UTC) < until
    return True


def _actor(request: Request, caller: Caller, namespace: str) -> Actor:
    """The address is that of the connection, or what a proxy that is trusted says."""
    told, is_admin = request.scope.get("request_id"), caller.may(Scope.ADMIN)
    return Actor(
        caller.id, caller.name, address_of(request), told, is_admin=is_admin, namespace=namespace, home=caller.namespace
    )


async def _entered(request: Request, caller: Caller, operation: str) -> str:
    """The namespace in which it is done, which its quota must not keep operators from mending.

    Raises Forbidden, TooManyRequests.
    """
    access: AccessService = request.app.state.services.access
    namespace, quotas = await access.enter(caller, request.headers.get(NAMESPACE))
    if operation in OPERATORS and namespace != DEFAULT:
        raise Forbidden(
            f"{caller.name} may not do this: it concerns all namespaces.", remedy=f"Use a key of {DEFAULT}."
        )
    if quotas.requests_per_second is not None and operation not in OPERATORS:
        may = f"The namespace {namespace} may send"
        _take(request.app.state.by_namespace, namespace, may, quotas.requests_per_second)
    return namespace


async def _admitted(request: Request, scope: Scope) -> Caller:
    """Who is served without a key, on the machine itself, is not counted. Raises TooManyRequests too."""
    access: AccessService = request.app.state.services.access
    if "Authorization" in request.headers or not is_nearby(request) or not await access.asks_nobody():
        _count_address(request)
    caller = await _allowed(request, scope)
    if caller.id is not None:
        _take(request.app.state.by_key, caller.id, f"{caller.name} may send")
    return caller


async def _allowed(request: Request, scope: Scope) -> Caller:
    access: AccessService = request.app.state.services.access
    told = _bearer(request) if access.required else None  # a proxy that asks for passwords passes them on
    caller = await access.caller(told, nearby=is_nearby(request))
    check(caller, scope)
    return caller


def _limited(handle: Handler) -> Handler:
    async def limited(request: Request) -> Response:
        _count_address(request)
        return await handle(request)

    return limited


def _count_address(request: Request) -> None:
    """Raises TooManyRequests."""
    _take(request.app.state.by_address, network_of(request), "One address may send")


def _take(buckets: Buckets, who: str, may: str, rate: float | None = None) -> None:
    rate = buckets.rate if rate is None else rate
    if seconds := buckets.wait(who, rate):
        raise TooManyRequests(f"{may} {rate:g} requests a second to this replica.", seconds=seconds)


def _bearer(request: Request) -> str | None:
    """RFC 6750, 2.1. Raises Unauthenticated for another scheme."""
    told = request.headers.getlist("Authorization")
    if not told:
        return None
    if len(told) > 1:
        raise Unauthenticated("There are several Authorization headers.", remedy=SEND)
    scheme, _, key = told[0].partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("Authorization is not of the scheme Bearer.", remedy=SEND)
    return key.strip()
