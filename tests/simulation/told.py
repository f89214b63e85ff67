"""Whether what people are told of each instant agrees with the oracle: what was due is due, and has its fate."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from app.domain.explanation import Explanation, Finding
from app.service.explain import Asked
from app.service.history import HistoryService
from tests.simulation.accounts import Account
from tests.simulation.mirror import Violation
from tests.simulation.world import World

_PAGE = 500
_FOR_EVER = timedelta(days=10_000)
_NOT_DUE = {Finding.NOT_DUE, Finding.NOT_CREATED, Finding.DELETED, Finding.ENDED}
_NOT_TOLD = {*_NOT_DUE, Finding.UNACCOUNTED, Finding.FORGOTTEN, Finding.TO_COME}


async def check_explanations(world: World) -> None:
    """Of all jobs there ever were, and all time until now. Raises Violation."""
    history = HistoryService(world.ledger.database, _FOR_EVER)
    for uid, account in (await world.accounts.of_jobs()).items():
        told = await _told(history, uid, Asked(world.begin, world.clock.now()))
        due = {at for at in account.due if at < world.clock.now()}
        if missing := due - set(told):
            raise Violation(f"job {uid}: nothing is told of {min(missing)}\n{account}")
        for one in told.values():
            _check(uid, account, one, due=one.at in due)


async def _told(history: HistoryService, uid: UUID, asked: Asked) -> dict[object, Explanation]:
    found: list[Explanation] = []
    more = True
    while more:
        page, more = await history.explain(uid, asked, found[-1].at if found else None, _PAGE)
        found += page
    return {one.at: one for one in found}


def _check(uid: UUID, account: Account, one: Explanation, *, due: bool) -> None:
    if due == (one.finding in _NOT_TOLD) or (not due and one.finding not in _NOT_DUE):
        raise Violation(f"job {uid}, {'due' if due else 'not due'} at {one.at}: {one.sentence}\n{account}")
    run_id = account.occurrences.get(one.at)
    if run_id != (None if one.run is None else one.run.id):
        raise Violation(f"job {uid} at {one.at}: the run {run_id} is told of as {one.run}")
