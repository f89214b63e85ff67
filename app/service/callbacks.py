"""The use case of a target that says what became of an attempt."""

from __future__ import annotations

from uuid import UUID

from app.db.callbacks import CallbackTransaction
from app.db.engine import Database
from app.domain.callback import Report, Said
from app.service.hooks import SchedulerHooks
from app.target.answer import excerpt
from app.target.failure import Kind, line

FAILED = "the target said that it failed"


class CallbackService:
    """Raises the errors of `domain.errors`."""

    def __init__(self, database: Database, hooks: SchedulerHooks) -> None:
        self._callbacks = CallbackTransaction(database)
        self._hooks = hooks

    async def report(self, run_id: UUID, token: str, said: Said, error: str | None, result: str | None) -> None:
        """Raises CallbackNotFound for a token that was not sent with the run's latest attempt, Conflict for a used one.

        A callback that comes before its call is recorded is kept for that moment.
        """
        failure = line(Kind.CALLBACK, error or FAILED) if said is Said.FAILED else None
        report = Report(said, failure, excerpt((result or "").encode()))
        recorded = await self._callbacks.report(run_id, token, report)
        if recorded.became:
            self._hooks.runs_queued(recorded.queued)
            self._hooks.runs_ended(recorded.became)
        if recorded.failing:
            self._hooks.too_many_failures()
