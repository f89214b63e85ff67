from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import ProgrammingError

from app.domain.claim import Candidate
from app.domain.clock import FakeClock
from app.domain.errors import CronledgerError
from app.domain.identity import occurrence_id
from app.domain.misfire import plan
from tests.db.building import JUST, ME, MINUTE, NOON, OTHER, Ledger, room_for, roomy, scheduled, states, used

DUE = NOON + MINUTE
SLACK = timedelta(milliseconds=250)


async def test_a_claim_makes_the_row_of_the_occurrence_and_moves_the_job_on(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    claims = await ledger.claim(DUE, job)
    run = await ledger.run_of(job)
    assert [each.job.id for each in claims.won] == [job.id]
    assert run.id == occurrence_id(job.uid, DUE)
    assert (run.scheduled_for, run.ledger_at, run.due_at) == (DUE, DUE, DUE)
    assert (run.job_name, run.job_version, run.trigger) == ("job", 1, "schedule")
    assert (await ledger.row_of(job)).next_run == DUE + MINUTE


async def test_a_run_for_which_there_is_room_starts_in_the_claim(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(headers={"A": "b"}, body={"c": [1]}, timeout_seconds=7)
    clock.step(MINUTE + SLACK)
    slots = roomy()
    [started] = (await ledger.claim(DUE + SLACK, job, slots=slots)).started
    run = await ledger.run_of(job)
    assert (run.state, run.owner, run.fence, run.attempt) == ("running", ME, 1, 1)
    assert run.started_at == started.started_at == DUE + SLACK
    assert (started.fence, started.ledger_at, started.host) == (1, DUE, "one.example:80")
    call = started.call
    assert (call.run_id, call.job_id, call.job_name, call.job_version) == (run.id, job.uid, "job", 1)
    assert (call.endpoint, call.method, call.headers, call.body) == (job.endpoint, "POST", {"A": "b"}, {"c": [1]})
    assert (call.timeout_seconds, call.attempt, call.scheduled_for) == (7, 1, DUE)
    assert used(slots) == 1


async def test_a_run_for_which_there_is_no_room_is_pending(ledger: Ledger, clock: FakeClock) -> None:
    first, second = [await ledger.create(name) for name in ("a", "b")]
    clock.step(MINUTE)
    claims = await ledger.claim(DUE, first, second, slots=room_for(1))
    assert [run.call.job_name for run in claims.started] == ["a"]
    run = await ledger.run_of(second)
    assert [(each.run_id, each.ledger_at, each.host) for each in claims.queued] == [(run.id, DUE, "one.example:80")]
    assert (run.state, run.owner, run.fence, run.attempt, run.started_at) == ("pending", None, 0, 0, None)
    assert run.due_at == DUE


async def test_an_occurrence_claimed_twice_is_one_run(ledger: Ledger, rival: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    stale = await rival.candidate(job, DUE)
    await ledger.claim(DUE, job)
    slots = roomy()
    claims = await rival.claims.claim(OTHER, [stale], slots)
    assert claims.moved == [(stale, DUE + MINUTE)]
    assert (claims.won, claims.started, claims.queued, used(slots)) == ([], [], [], 0)
    assert (await ledger.run_of(job)).owner == ME


async def test_an_occurrence_that_is_not_due_by_the_databases_clock_is_early(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    clock.step(MINUTE - JUST)
    candidate = await ledger.candidate(job, DUE)
    claims = await ledger.claims.claim(ME, [candidate], roomy())
    assert claims.early == [candidate]
    assert await ledger.runs_of(job) == []
    clock.step(JUST)
    assert (await ledger.claims.claim(ME, [candidate], roomy())).won == [candidate]


async def test_a_candidate_of_an_older_version_is_stale(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create()
    candidate = await ledger.candidate(job, DUE)
    await ledger.jobs.edit("job", lambda job: replace(job.definition(), description="new"))
    clock.step(MINUTE)
    assert (await ledger.claims.claim(ME, [candidate], roomy())).stale == [candidate]
    assert await ledger.runs_of(job) == []


@pytest.mark.parametrize("end", ["pause", "delete", "switch", "by hand"])
async def test_a_candidate_of_a_job_that_waits_for_nothing_is_stale(ledger: Ledger, clock: FakeClock, end: str) -> None:
    job = await ledger.create()
    candidate = await ledger.candidate(job, DUE)
    match end:
        case "pause":
            await ledger.jobs.set_enabled("job", enabled=False)
        case "delete":
            await ledger.jobs.delete("job")
        case "switch":
            await ledger.switch.pause()
        case _:
            await ledger.overwrite(job, enabled=False)
    clock.step(MINUTE)
    assert (await ledger.claims.claim(ME, [candidate], roomy())).stale == [candidate]
    assert await ledger.runs_of(job) == []


async def test_an_occurrence_whose_run_is_there_already_still_moves_the_job_on(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await ledger.create()
    clock.step(MINUTE)
    [started] = (await ledger.claim(DUE, job)).started
    await ledger.overwrite(job, next_run=DUE)
    slots = roomy()
    claims = await ledger.claim(DUE, job, replica=OTHER, slots=slots)
    assert [each.job.id for each in claims.won] == [job.id]
    assert (claims.started, claims.queued, used(slots)) == ([], [], 0)
    run = await ledger.run_of(job)
    assert (run.id, run.owner) == (started.call.run_id, ME)
    assert (await ledger.row_of(job)).next_run == DUE + MINUTE


async def test_a_batch_holds_every_kind_of_answer(ledger: Ledger, clock: FakeClock) -> None:
    jobs = {name: await ledger.create(name) for name in ("won", "moved", "early", "stale")}
    candidates = {name: await ledger.candidate(job, DUE) for name, job in jobs.items()}
    clock.step(MINUTE)
    await ledger.claim(DUE, jobs["moved"])
    await ledger.jobs.delete("stale")
    row = candidates["early"].job
    candidates["early"] = Candidate(row, plan(row.recurrence, DUE, DUE + MINUTE))
    claims = await ledger.claims.claim(ME, list(candidates.values()), roomy())
    found = (claims.won, [each for each, _ in claims.moved], claims.early, claims.stale)
    assert [each.job.name for kind in found for each in kind] == ["won", "moved", "early", "stale"]
    assert states(await ledger.runs_of(jobs["won"])) == ["running"]


async def test_a_transaction_that_fails_gives_back_its_room(ledger: Ledger, clock: FakeClock) -> None:
    jobs = [await ledger.create(name) for name in ("a", "b")]
    clock.step(MINUTE)
    candidates = [await ledger.candidate(job, DUE) for job in jobs]
    slots = roomy()
    await ledger.execute("ALTER TABLE job_runs RENAME TO elsewhere")
    with pytest.raises((CronledgerError, ProgrammingError)):
        await ledger.claims.claim(ME, candidates, slots)
    assert used(slots) == 0
    await ledger.execute("ALTER TABLE elsewhere RENAME TO job_runs")
    claims = await ledger.claims.claim(ME, candidates, slots)
    assert len(claims.started) == used(slots) == 2


async def test_the_last_occurrence_leaves_nothing_to_wait_for(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule=f"@at {DUE.isoformat()}")
    clock.step(MINUTE)
    claims = await ledger.claim(DUE, job)
    assert claims.won[0].plan.next is None
    assert (await ledger.row_of(job)).next_run is None
    assert scheduled(await ledger.runs_of(job)) == [DUE]
