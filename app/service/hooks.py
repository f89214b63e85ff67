"""What a use case tells the scheduler of its own process, after its commit. The database tells the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from app.domain.claim import Queued
from app.domain.run import State, Trigger


class SchedulerHooks(Protocol):
    """Hints alone: a scheduler that misses one finds out by itself."""

    def jobs_changed(self, job_ids: Iterable[int]) -> None: ...

    def many_changed(self) -> None: ...

    def runs_queued(self, runs: Iterable[Queued]) -> None: ...

    def runs_ended(self, ended: Iterable[tuple[State, Trigger]]) -> None: ...

    def cancel_asked(self) -> None: ...

    def too_many_failures(self) -> None: ...


class NoScheduler:
    """There is none in this process."""

    def jobs_changed(self, job_ids: Iterable[int]) -> None: ...

    def many_changed(self) -> None: ...

    def runs_queued(self, runs: Iterable[Queued]) -> None: ...

    def runs_ended(self, ended: Iterable[tuple[State, Trigger]]) -> None: ...

    def cancel_asked(self) -> None: ...

    def too_many_failures(self) -> None: ...
