"""Who asked for what is being done, known to whatever is done for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """`id` is that of an API key, or issuer and subject of a token; `address` is where the request came from.

    `is_admin` says whether there is anything that they may not do.
    """

    id: str | None
    name: str
    address: str | None = None
    request_id: str | None = None
    is_admin: bool = False


_actor: ContextVar[Actor | None] = ContextVar("actor", default=None)


def current_actor() -> Actor | None:
    """None for what the scheduler does by itself."""
    return _actor.get()


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """What this task does meanwhile, it does for the actor."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)
