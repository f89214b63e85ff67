"""Who asked for what is being done, known to whatever is done for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from app.domain.namespace import DEFAULT


@dataclass(frozen=True, slots=True)
class Actor:
    """`id` is that of an API key, or issuer and subject of a token; `address` is where the request came from.

    `is_admin` says whether there is anything that they may not do in the namespace, which is all that they see. `home`
    is where they come from.
    """

    id: str | None
    name: str
    address: str | None = None
    request_id: str | None = None
    is_admin: bool = False
    namespace: str = DEFAULT
    home: str = DEFAULT

    @property
    def is_guest(self) -> bool:
        """Whether they act in a namespace that is not theirs."""
        return self.namespace != self.home


_actor: ContextVar[Actor | None] = ContextVar("actor", default=None)


def current_actor() -> Actor | None:
    """None for what the scheduler does by itself."""
    return _actor.get()


def current_namespace() -> str | None:
    """None is all of them: the scheduler works for every one."""
    actor = _actor.get()
    return None if actor is None else actor.namespace


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """What this task does meanwhile, it does for the actor."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)
