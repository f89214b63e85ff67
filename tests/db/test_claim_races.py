"""A claim against whatever else happens to its jobs.

A gate holds one transaction where it has taken its locks already. A change waits for it, which is seen in
pg_stat_activity; a claim passes over what is locked, and is made again afterwards.
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
async def test_a_claim_that_meets_a_change_finds_the_job_changed_afterwards(
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
        assert await contended.claims.claim(ME, [candidate], slots) == Claims(busy=[candidate])
        await held.open()
        await changing
    assert await contended.claims.claim(ME, [candidate], slots) == Claims(stale=[candidate])
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


async def test_two_claims_of_one_occurrence_at_the_same_time_are_one_run_and_neither_waits(
    contended: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await _made_partition(contended, clock)
    job = await contended.create()
    candidate = await contended.candidate(job, DUE)
    clock.step(MINUTE)
    async with gate(contended.url, LAST_STEP_OF_A_CLAIM) as held:
        first = asyncio.create_task(contended.claims.claim(ME, [candidate], roomy()))
        await held.until_waiting(1)
        assert await rival.claims.claim(OTHER, [candidate], roomy()) == Claims(busy=[candidate])
        await held.open()
    assert (await first).won == [candidate]
    assert await rival.claims.claim(OTHER, [candidate], roomy()) == Claims(moved=[(candidate, DUE + MINUTE)])
    assert (await contended.run_of(job)).owner == ME


async def test_a_job_that_somebody_has_locked_holds_up_no_other(contended: Ledger, clock: FakeClock) -> None:
    jobs = [await contended.create(name) for name in ("a", "b", "c")]
    clock.step(MINUTE)
    candidates = await contended.candidates(clock.now())
    async with gate(contended.url, f"SELECT FROM cron_jobs WHERE id = {jobs[1].id} FOR UPDATE"):
        claims = await contended.claims.claim(ME, candidates, roomy())
    assert [each.job.name for each in claims.won] == ["a", "c"]
    assert [each.job.name for each in claims.busy] == ["b"]


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
        assert [len(each.won + each.busy) + len(each.moved) for each in (one, two)] == [jobs, jobs]
        again = await ledger.claims.claim(ME, [*one.busy, *two.busy], roomy())
        assert len(one.won) + len(two.won) + len(again.won) == jobs
    assert len(await ledger.table(job_runs)) == rounds * jobs


async def test_of_two_racing_claimers_each_claims_what_the_other_does_not(
    ledger: Ledger, rival: Ledger, clock: FakeClock
) -> None:
    await ledger.populate(1000)
    clock.step(MINUTE)
    candidates = await ledger.candidates(DUE)
    batches = [candidates[start : start + 100] for start in range(0, 1000, 100)]

    async def claim_all(who: Ledger, replica: UUID, batches: Sequence[list[Candidate]]) -> list[Claims]:
        made = [await who.claims.claim(replica, batch, roomy()) for batch in batches]
        while busy := made[-1].busy or [candidate for claims in made for candidate in claims.busy]:
            made += [await who.claims.claim(replica, busy, roomy())]
            for claims in made[:-1]:
                claims.busy.clear()
        return made

    one, two = await asyncio.gather(claim_all(ledger, ME, batches), claim_all(rival, OTHER, batches[::-1]))
    started = Counter(run.call.run_id for claims in one + two for run in claims.started)
    assert len(started) == 1000
    assert set(started.values()) == {1}
    won = Counter([ME] * sum(len(claims.won) for claims in one) + [OTHER] * sum(len(claims.won) for claims in two))
    assert Counter(run.owner for run in await ledger.table(job_runs)) == won
