"""Clocks that jump, and loops that wake late: every instant is accounted for, and none is called twice."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest

from app.domain.clock import FakeClock
from tests.db.building import every_instant_is_accounted_for, states
from tests.unit.scheduler.building import HOUR, MINUTE, NOON, SECOND
from tests.unit.scheduler.replica import LOOPS, Replica, ServerClock


def instants(count: int, step: timedelta = MINUTE) -> list[datetime]:
    return [NOON + n * step for n in range(1, count + 1)]


def called(replica: Replica) -> list[datetime]:
    return sorted(call.scheduled_for for call in replica.target.calls)


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["ahead", "back"])
async def test_a_wall_clock_that_is_set_by_an_hour_changes_nothing(
    replica: Replica, clock: FakeClock, step: timedelta
) -> None:
    """The machine's: what is due is for the database's clock to say."""
    job = await replica.create(schedule="* * * * * *")
    for move in (step, -step, timedelta(0)):
        await replica.pass_time(4, step=0.5)
        clock.step(move)
    assert called(replica) == instants(12, SECOND)
    assert {call.trigger for call in replica.target.calls} == {"schedule"}
    await every_instant_is_accounted_for(replica.ledger, job, instants(12, SECOND))


async def test_a_database_clock_that_is_set_ahead_makes_misfires_of_what_it_jumped_over(
    replica: Replica, server: ServerClock
) -> None:
    job = await replica.create()
    await replica.pass_time(60, step=5)
    server.step(HOUR)
    await replica.pass_time(4)
    assert called(replica) == [NOON + MINUTE, NOON + 60 * MINUTE, NOON + 61 * MINUTE]
    await every_instant_is_accounted_for(replica.ledger, job, instants(61))
    assert Counter(states(await replica.ledger.runs_of(job)))["missed"] == 58


async def test_a_database_clock_that_is_set_back_calls_nothing_again(replica: Replica, server: ServerClock) -> None:
    job = await replica.create()
    await replica.pass_time(120, step=10)
    assert called(replica) == instants(2)
    server.step(-HOUR)
    await replica.pass_time(3600, step=60)
    assert called(replica) == instants(2)
    await replica.pass_time(120, step=10)
    assert called(replica) == instants(4)
    await every_instant_is_accounted_for(replica.ledger, job, instants(4))


async def test_loops_that_wake_an_hour_late_lose_nothing(replica: Replica, clock: FakeClock) -> None:
    """As when the process was stopped: its lease is over, and nobody took it for dead."""
    job = await replica.create()
    await replica.pass_time(60, step=5)
    await clock.advance(HOUR + 30 * SECOND)
    await clock.block_until(LOOPS)
    await replica.pass_time(4)
    assert called(replica) == [NOON + MINUTE, NOON + 60 * MINUTE, NOON + 61 * MINUTE]
    runs = await replica.ledger.runs_of(job)
    assert Counter((run.state, run.trigger) for run in runs) == {
        ("succeeded", "schedule"): 2,
        ("succeeded", "catch_up"): 1,
        ("missed", "schedule"): 58,
    }
    await every_instant_is_accounted_for(replica.ledger, job, instants(61))


async def test_a_machine_that_was_suspended_for_an_hour_loses_nothing(
    replica: Replica, clock: FakeClock, server: ServerClock
) -> None:
    """Its monotonic clock stood still: only the wall clock shows that time has passed."""
    job = await replica.create()
    await replica.pass_time(60, step=5)
    server.step(HOUR)
    clock.step(HOUR)
    await replica.pass_time(4)  # what is caught up waits for what is due now, since both are of one job
    await replica.target.wait_for(3)
    await every_instant_is_accounted_for(replica.ledger, job, instants(61))
