"""Who is next at a gate."""

from __future__ import annotations

from app.domain.clock import FakeClock
from app.domain.policies import Overlap, Policies
from tests.db.building import ME, MINUTE, Ledger, ended, queued
from tests.db.limiting import key_jobs, put_limit


async def test_what_is_caught_up_and_has_begun_comes_before_what_waits_for_it(ledger: Ledger, clock: FakeClock) -> None:
    """The first at the gate is the only one that is tried: nobody would ever start."""
    job = await ledger.create(policies=Policies(overlap=Overlap.QUEUE))
    clock.step(2.5 * MINUTE)
    [on_time, *_] = (await ledger.claim(clock.now(), job)).started
    await ledger.record(ended(on_time))
    [late] = (await ledger.starts.opened(10, [])).runs
    [caught_up] = (await ledger.starts.start(ME, [late])).begun
    await ledger.record(ended(caught_up, error="status 503"))
    by_hand = await ledger.runs.trigger("job")
    [called] = (await ledger.starts.start(ME, [queued(by_hand)])).begun
    clock.step(MINUTE)
    assert (await ledger.starts.start(ME, [late])).begun == []
    assert (await ledger.claim(clock.now(), job)).started == []
    await ledger.record(ended(called))
    assert (await ledger.starts.opened(10, [])).runs == [late]
    [again] = (await ledger.starts.start(ME, [late])).begun
    assert (again.call.run_id, again.call.attempt) == (late.run_id, 2)


async def test_what_is_passed_over_leaves_its_turn_to_the_next(ledger: Ledger, clock: FakeClock) -> None:
    await put_limit(ledger, 1)
    runs = await key_jobs(ledger, clock, 3)
    [running] = (await ledger.starts.start(ME, runs)).begun
    await ledger.record(ended(running))
    [first] = (await ledger.starts.opened(10, [])).runs
    [second] = (await ledger.starts.opened(10, [], passed_over={first.run_id})).runs
    assert {running.call.run_id, first.run_id, second.run_id} == {run.run_id for run in runs}
    assert len((await ledger.starts.start(ME, [second])).begun) == 1
