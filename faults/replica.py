"""`python -m faults.replica serve`: the service, but that it kills itself at the point that FAULTS_DIE_AT names.

The stores and the target are wrapped from outside; the service knows nothing of it. Before it dies it prints one line:
the point, and the runs concerned as [job, instant] pairs.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from datetime import datetime
from typing import Any
from uuid import UUID

from aiohttp import ClientSession, TraceConfig

from app import cli
from app.db.claims import ClaimTransaction
from app.db.engine import before_commit
from app.db.records import RecordTransaction
from app.db.starts import StartTransaction
from app.domain.claim import Finished, Queued, Started
from app.domain.run import Call
from app.target import caller
from app.target.caller import HttpTarget
from app.target.session import open_session

DIED = "faults: died "
_MID_CALL = 0.1
"""Seconds after the request has been sent: a slow target has not answered by then."""

_SENT: ContextVar[asyncio.Event] = ContextVar("_SENT")
"""Of the call that is being made."""

_Named = tuple[UUID, datetime]


def die(point: str, runs: Iterable[_Named]) -> None:
    sys.stdout.write(DIED + json.dumps([point, [[str(job), at.isoformat()] for job, at in runs]]) + "\n")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def _called(started: Iterable[Started]) -> list[_Named]:
    return [_of_call(each.call) for each in started]


def _of_call(call: Call) -> _Named:
    return call.job_id, call.scheduled_for


def _finished(sent: Iterable[Finished], recorded: Any) -> list[_Named]:  # Recorded, or None before the commit
    """What was busy was not written."""
    written = (each.started for each in sent if recorded is None or each not in recorded.busy)
    return _called(written)


def _around(
    point: str, method: Callable[..., Awaitable[Any]], concerned: Callable[[Any, Any], list[_Named]]
) -> Callable[..., Awaitable[Any]]:
    """Die before the commit, when its result is not known yet, or after it. What concerns no run is let pass."""
    before = point.endswith("uncommitted")

    async def wrapped(store: object, replica: UUID, sent: Any, *rest: object) -> Any:  # whatever it is
        async def last(_: object) -> None:
            if runs := concerned(sent, None):
                die(point, runs)

        if before:
            with before_commit(last):
                return await method(store, replica, sent, *rest)
        result = await method(store, replica, sent, *rest)
        if runs := concerned(sent, result):
            die(point, runs)
        return result

    return wrapped


def _candidates(sent: Iterable[Any], claims: Any) -> list[_Named]:  # Claims, or None before the commit
    if claims is not None:
        return _called(claims.started)
    return [(each.job.uid, run.occurrence) for each in sent for run in each.plan.runs]


async def _named(store: StartTransaction, queued: Iterable[Queued]) -> list[_Named]:
    """Queued runs carry their id alone; a run's place in the ledger is its instant."""
    from sqlalchemy import select  # noqa: PLC0415  # for this one question

    from app.db.tables import job_runs  # noqa: PLC0415  # likewise

    async with store._database.read() as connection:
        query = select(job_runs.c.job_id, job_runs.c.scheduled_for).where(
            job_runs.c.id.in_([each.run_id for each in queued])
        )
        return [(row.job_id, row.scheduled_for) for row in await connection.execute(query)]


def _start(point: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def wrapped(store: StartTransaction, replica: UUID, queued: list[Queued], *rest: object) -> Any:
        runs = await _named(store, queued)
        return await _around(point, method, lambda _, starts: runs if starts is None else _called(starts.begun))(
            store, replica, queued, *rest
        )

    return wrapped


def _call(point: str, method: Callable[..., Any]) -> Callable[..., Any]:
    async def wrapped(target: HttpTarget, call: Call) -> Any:  # the outcome
        if point == "before-call":
            die(point, [_of_call(call)])
        sent = asyncio.Event()
        _SENT.set(sent)
        calling = asyncio.ensure_future(method(target, call))
        if point == "in-call":
            await sent.wait()
            await asyncio.sleep(_MID_CALL)
            die(point, [_of_call(call)])
        outcome = await calling
        die(point, [_of_call(call)])
        return outcome

    return wrapped


def _telling_what_is_sent(*args: Any) -> ClientSession:
    async def sent(*_: object) -> None:
        _SENT.get().set()

    config = TraceConfig()
    config.on_request_headers_sent.append(sent)
    config.freeze()
    session = open_session(*args)
    session.trace_configs.append(config)
    return session


def arm(point: str) -> None:
    stage = point.partition("-")[0]
    if stage == "claim":
        ClaimTransaction.claim = _around(point, ClaimTransaction.claim, _candidates)  # type: ignore[method-assign,assignment]
    elif stage == "start":
        StartTransaction.start = _start(point, StartTransaction.start)  # type: ignore[method-assign,assignment]
    elif stage == "record":
        judged = _around(point, RecordTransaction.record, _finished)
        RecordTransaction.record = judged  # type: ignore[method-assign,assignment]
    else:
        HttpTarget.call = _call(point, HttpTarget.call)  # type: ignore[method-assign]
        caller.open_session = _telling_what_is_sent  # type: ignore[assignment,attr-defined]


if __name__ == "__main__":
    if "FAULTS_DIE_AT" in os.environ:
        arm(os.environ["FAULTS_DIE_AT"])
    cli.main()
