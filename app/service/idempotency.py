"""A request with an Idempotency-Key is carried out once, however often and wherever it is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from app.db.engine import Database
from app.db.idempotency import KEPT_FOR, Answer, Request, carrying_out
from app.db.transaction import transaction
from app.domain.errors import AnswerLost, IdempotencyKeyReused, RequestInFlight, StoreUnavailable

ABANDONED_AFTER = timedelta(seconds=60)
"""Longer than any request takes: the process that began it is gone."""

_log = structlog.get_logger()


class IdempotencyService:
    """Raises the errors of `domain.errors`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def once(self, key: str, fingerprint: str, carry_out: Callable[[], Awaitable[Answer]]) -> Answer:
        """What `carry_out` answers, or answered when it was called with this key for the first time.

        A request that fails leaves nothing, and may be sent again. One that is committed says so in its own
        transaction: where its answer is lost, with the process say, it is not carried out again.
        """
        begun = await self._begin(key, fingerprint)
        if isinstance(begun, Answer):
            return begun
        try:
            with carrying_out(begun):
                answer = await carry_out()
        except BaseException:
            await self._release(begun)
            raise
        await self._keep(begun, answer)
        return answer

    async def forget(self) -> None:
        """What is older than KEPT_FOR."""
        async with transaction(self._database) as tx:
            await tx.idempotency.forget(await tx.time() - KEPT_FOR)

    async def _begin(self, key: str, fingerprint: str) -> Request | Answer:
        async with transaction(self._database) as tx:
            at = await tx.time()
            request = Request(key, fingerprint, at)
            known = await tx.idempotency.begin(request)
            if known is None:
                return request
            if known.begun_at < at - KEPT_FOR or _is_abandoned(known, request):
                await tx.idempotency.renew(request)
                return request
        return _answer_of(known, fingerprint)

    async def _release(self, request: Request) -> None:
        try:
            async with transaction(self._database) as tx:
                await tx.idempotency.release(request)
        except StoreUnavailable:
            _log.warning("an idempotency key was not given back", key=request.key)

    async def _keep(self, request: Request, answer: Answer) -> None:
        """It is given all the same: what was asked for is done."""
        try:
            async with transaction(self._database) as tx:
                await tx.idempotency.keep(request, answer)
        except StoreUnavailable:
            _log.warning("an answer was not kept", key=request.key)


def _is_abandoned(known: Request, again: Request) -> bool:
    """Its process died before anything of it was committed."""
    unfinished = known.answer is None and not known.carried_out
    return unfinished and known.begun_at < again.begun_at - ABANDONED_AFTER


def _answer_of(known: Request, fingerprint: str) -> Answer:
    if known.fingerprint != fingerprint:
        raise IdempotencyKeyReused(
            "The key was sent with another request before.",
            field="Idempotency-Key",
            remedy="Send a new key with each new request.",
        )
    if known.answer is not None:
        return known.answer
    if known.carried_out:
        raise AnswerLost(remedy="Read what it was to make. To do it once more, send another key.")
    raise RequestInFlight(remedy="Wait for the answer to the first one, or send this one again in a moment.")
