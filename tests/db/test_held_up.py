"""Who is next at a gate."""

from __future__ import annotations

from app.domain.clock import FakeClock
from app.domain.policies import Overlap, Policies
from tests.db.building import ME, MINUTE, Ledger, ended, queued


async def test_what_is_caught_up_and_has_begun_comes_before_what_waits_for_it(ledger: Ledger, clock: FakeClock) -> None:
    """The first at the gate is the only one that is tried: nobody would ever start."""
    job = await ledger.create(policies=Policies(overlap=Overlap.QUEUE))
    clock.step(2.5 * MINUTE)
    [on_time, *_] = (await ledger.claim(clock.now(), job)).started
    await ledger.record(ended(on_time))
    [late] = (await ledger.starts.opened(10, [])).runs
    [caught_up] = await ledger.starts.start(ME, [late])
    await ledger.record(ended(caught_up, error="status 503"))
    by_hand = await ledger.runs.trigger("job")
    [called] = await ledger.starts.start(ME, [queued(by_hand)])
    clock.step(MINUTE)
    assert await ledger.starts.start(ME, [late]) == []
    assert (await ledger.claim(clock.now(), job)).started == []
    await ledger.record(ended(called))
    assert (await ledger.starts.opened(10, [])).runs == [late]
    [again] = await ledger.starts.start(ME, [late])
    assert (again.call.run_id, again.call.attempt) == (late.run_id, 2)
