"""What the scheduler tells whoever measures it."""

from __future__ import annotations

from typing import Protocol

from app.domain.claim import Claims, Finished


class Observer(Protocol):
    """Each method is called from the event loop and must not block."""

    def claimed(self, claims: Claims) -> None: ...

    def recorded(self, run: Finished) -> None: ...

    def discarded(self, run: Finished) -> None: ...


class NoObserver:
    """Measures nothing."""

    def claimed(self, claims: Claims) -> None: ...

    def recorded(self, run: Finished) -> None: ...

    def discarded(self, run: Finished) -> None: ...
