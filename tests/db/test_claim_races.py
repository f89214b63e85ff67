"""A claim against whatever else happens to its jobs.

A gate holds one transaction where it has taken its locks already; that the other waits is seen in pg_stat_activity.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from app.db.tables import job_runs
from app.domain.claim import Candidate, Claims
from app.domain.clock import FakeClock
from app.domain.job import PersistedJob
from tests.db.building import ME, MINUTE, NOON, OTHER, Ledger, roomy, states, used
from tests.db.locks import gate

DUE = NOON + MINUTE
LAST_STEP_OF_A_CHANGE = "LOCK TABLE job_versions IN SHARE MODE"
LAST_STEP_OF_A_CLAIM = "LOCK TABLE job_runs IN SHARE MODE"

Change = Callable[[Ledger], Coroutine[None, None, None]]


async def delete(ledger: Ledger) -> None:
    await ledger.jobs.delete("job")


async def pause(ledger: Ledger) -> None:
    await ledger.jobs.set_enabled("job", enabled=False)


async def edit(ledger: Ledger) -> None:
    await ledger.jobs.edit("job", lambda job: replace(job.definition(), endpoint="http://two.example/hook"))


async def _made_partition(ledger: Ledger, clock: FakeClock) -> None:
    """Once, so that no race waits for a partition instead."""
    other = await ledger.create("earlier")
    clock.step(MINUTE)
    await ledger.claim(clock.now(), other)
    await ledger.jobs.delete("earlier")
    clock.step(-MINUTE)


@pytest.mark.parametrize("change", [delete, pause, edit])
async def test_a_claim_that_waits_for_a_change_finds_the_job_changed(
    contended: Ledger, rival: Ledger, clock: FakeClock, change: Change
) -> None:
    await _made_partition(contended, clock)
    job = await contended.create()
    candidate = await contended.candidate(job, DUE)
    slots = roomy()
    async with gate(contended.url, LAST_STEP_OF_A_CHANGE) as held:
        changing = asyncio.create_task(change(rival))
        await held.until_waiting(1)
        clock.step(MINUTE)
        claiming = asyncio.create_task(contended.claims.claim(ME, [candidate], slots))
        await held.until_waiting(2)
        await held.open()
        await changing
        claims = await claiming
    assert claims.stale == [candidate]
    assert used(slots) == 0
    assert await contended.runs_of(job) == []


@pytest.mark.parametrize("change", [pause, edit])
async def test_a_change_that_waits_for_a_claim_finds_the_occurrence_claimed(
    contended: Ledger, rival: Ledger, clock: FakeClock, change: Change
) -> None:
    claims, job = await _claim_against(contended, rival, clock, change)
    assert len(claims.started) == 1
    assert claims.started[0].call.endpoint == "http://one.example/hook"
    assert states(await contended.runs_of(job)) == ["running"]
    row = await contended.row_of(job)
    assert (row.enabled, row.next_run) == ((False, None) if change is pause else (True, DUE + MINUTE))


async def test_a_delete_that_waits_for_a_claim_lets_its_call_end(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    claims, job = await _claim_against(contended, rival, clock, delete)
    assert len(claims.started) == 1
    assert states(await contended.runs_of(job)) == ["running"]
    assert await contended.row_of(job) is None


async def _claim_against(
    contended: Ledger, rival: Ledger, clock: FakeClock, change: Change
) -> tuple[Claims, PersistedJob]:
    await _made_partition(contended, clock)
    job = await contended.create()
    candidate = await contended.candidate(job, DUE)
    clock.step(MINUTE)
    async with gate(contended.url, LAST_STEP_OF_A_CLAIM) as held:
        claiming = asyncio.create_task(contended.claims.claim(ME, [candidate], roomy()))
        await held.until_waiting(1)
        changing = asyncio.create_task(change(rival))
        await held.until_waiting(2)
        await held.open()
        claims = await claiming
        await changing
    return claims, job


async def test_two_claims_of_one_occurrence_at_the_same_time_are_one_run(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await _made_partition(contended, clock)
    job = await contended.create()
    candidate = await contended.candidate(job, DUE)
    clock.step(MINUTE)
    async with gate(contended.url, LAST_STEP_OF_A_CLAIM) as held:
        first = asyncio.create_task(contended.claims.claim(ME, [candidate], roomy()))
        await held.until_waiting(1)
        second = asyncio.create_task(rival.claims.claim(OTHER, [candidate], roomy()))
        await held.until_waiting(2)
        await held.open()
    assert (await first).won == [candidate]
    assert (await second).moved == [(candidate, DUE + MINUTE)]
    assert (await contended.run_of(job)).owner == ME


async def test_candidates_in_reversed_order_never_deadlock(ledger: Ledger, rival: Ledger, clock: FakeClock) -> None:
    rounds, jobs = 40, 25
    await ledger.populate(jobs)
    for _ in range(rounds):
        clock.step(MINUTE)
        candidates = await ledger.candidates(clock.now())
        shuffled = random.sample(candidates, jobs)
        one, two = await asyncio.gather(
            ledger.claims.claim(ME, candidates[::-1], roomy()), rival.claims.claim(OTHER, shuffled, roomy())
        )
        assert len(one.won) + len(two.won) == len(one.moved) + len(two.moved) == jobs
    assert len(await ledger.table(job_runs)) == rounds * jobs


async def test_of_two_racing_claimers_each_claims_what_the_other_does_not(
    ledger: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await ledger.populate(1000)
    clock.step(MINUTE)
    candidates = await ledger.candidates(DUE)
    batches = [candidates[start : start + 100] for start in range(0, 1000, 100)]

    async def claim_all(who: Ledger, replica: UUID, batches: Sequence[list[Candidate]]) -> list[Claims]:
        return [await who.claims.claim(replica, batch, roomy()) for batch in batches]

    one, two = await asyncio.gather(claim_all(ledger, ME, batches), claim_all(rival, OTHER, batches[::-1]))
    started = Counter(run.call.run_id for claims in one + two for run in claims.started)
    assert len(started) == 1000
    assert set(started.values()) == {1}
    won = Counter([ME] * sum(len(claims.won) for claims in one) + [OTHER] * sum(len(claims.won) for claims in two))
    assert Counter(run.owner for run in await ledger.table(job_runs)) == won
