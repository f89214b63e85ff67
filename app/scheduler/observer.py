"""What the scheduler tells whoever measures it."""

from __future__ import annotations

from typing import Protocol

from app.domain.claim import Claims, Finished
from app.domain.run import State, Trigger


class Observer(Protocol):
    """Each method is called from the event loop and must not block."""

    def claimed(self, claims: Claims) -> None: ...

    def recorded(self, run: Finished, became: State) -> None: ...

    def discarded(self, run: Finished) -> None: ...

    def ended(self, state: State, trigger: Trigger) -> None:
        """A run that no call of this replica ended."""


class Observers:
    """Several, told in turn."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def claimed(self, claims: Claims) -> None:
        for each in self._observers:
            each.claimed(claims)

    def recorded(self, run: Finished, became: State) -> None:
        for each in self._observers:
            each.recorded(run, became)

    def discarded(self, run: Finished) -> None:
        for each in self._observers:
            each.discarded(run)

    def ended(self, state: State, trigger: Trigger) -> None:
        for each in self._observers:
            each.ended(state, trigger)


class NoObserver:
    """Measures nothing."""

    def claimed(self, claims: Claims) -> None: ...

    def recorded(self, run: Finished, became: State) -> None: ...

    def discarded(self, run: Finished) -> None: ...

    def ended(self, state: State, trigger: Trigger) -> None: ...
