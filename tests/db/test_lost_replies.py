"""A commit whose answer is lost may have happened: what the ledger says then is what counts."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.domain.clock import FakeClock
from app.domain.errors import StoreUnavailable
from tests.db.building import ME, MINUTE, NOON, Ledger, ended, opened, queued, room_for, roomy, states, used
from tests.db.cutting import Network, network

DUE = NOON + MINUTE


@pytest.fixture
async def far(contended: Ledger, clock: FakeClock) -> AsyncIterator[tuple[Network, Ledger]]:
    """The database of `contended` over a network that breaks."""
    async with network(contended.url) as (carrier, url), opened(url, clock) as ledger:
        yield carrier, ledger


async def test_a_claim_whose_answer_is_lost_is_found_and_handed_back(
    contended: Ledger, far: tuple[Network, Ledger], clock: FakeClock
) -> None:
    net, ledger = far
    job = await contended.create()
    earlier = await contended.create("earlier")
    clock.step(MINUTE)
    await ledger.claim(DUE, earlier)
    candidate = await ledger.candidate(job, DUE)
    slots = roomy()
    net.cut_next_commit()
    with pytest.raises(StoreUnavailable):
        await ledger.claims.claim(ME, [candidate], slots)
    assert (net.cuts, used(slots)) == (1, 0)
    run = await contended.run_of(job)
    assert (run.state, run.owner, run.fence) == ("running", ME, 1)
    owned = await ledger.replicas.owned(ME)
    assert owned.pop(run.id) == 1
    assert await ledger.replicas.hand_back(ME, {run.id: 1}) == 1
    assert states(await contended.runs_of(job)) == ["pending"]
    [started] = (await ledger.starts.start(ME, [queued(run)])).begun
    assert (started.call.attempt, started.fence) == (1, 2)
    assert [each for each, _ in (await ledger.claims.claim(ME, [candidate], slots)).moved] == [candidate]


async def test_a_start_whose_answer_is_lost_is_found(
    contended: Ledger, far: tuple[Network, Ledger], clock: FakeClock
) -> None:
    net, ledger = far
    job = await contended.create()
    clock.step(MINUTE)
    await ledger.claim(DUE, job, slots=room_for(0))
    run = await ledger.run_of(job)
    net.cut_next_commit()
    with pytest.raises(StoreUnavailable):
        await ledger.starts.start(ME, [queued(run)])
    assert await ledger.replicas.owned(ME) == {run.id: 1}


async def test_a_record_whose_answer_is_lost_is_in_the_ledger_once(
    contended: Ledger, far: tuple[Network, Ledger], clock: FakeClock
) -> None:
    net, ledger = far
    job = await contended.create()
    clock.step(MINUTE)
    finished = ended(await ledger.running(DUE, job))
    net.cut_next_commit()
    with pytest.raises(StoreUnavailable):
        await ledger.record(finished)
    assert states(await contended.runs_of(job)) == ["succeeded"]
    assert await ledger.record(finished) == set()
    assert (await contended.row_of(job)).last_success == finished.ended_at
