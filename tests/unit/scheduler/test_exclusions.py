from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date

import pytest

from app.domain.clock import FakeClock
from app.domain.exclude import Days, InCalendar
from app.domain.exclusion import Listed, resolve
from tests.unit.scheduler.building import DAY, HOUR, NOON, job, pass_time, turns
from tests.unit.scheduler.fake_store import FakeStore
from tests.unit.scheduler.fake_target import FakeTarget
from tests.unit.scheduler.ticking import LOOPS, Rig

SECOND_OF_MARCH = Days(date(2027, 3, 2), date(2027, 3, 2))


@pytest.fixture
async def rig(clock: FakeClock, store: FakeStore, target: FakeTarget) -> AsyncIterator[Rig]:
    made = Rig(clock, store, target)
    yield made
    await made.stop()


async def test_a_job_is_planned_with_what_it_leaves_out(rig: Rig) -> None:
    holidays = {"holidays": Listed("UTC", [SECOND_OF_MARCH], "holidays")}
    exclusions = resolve((InCalendar("holidays"),), "UTC", holidays)
    rig.put(replace(job(1, NOON, "0 */12 * * *"), exclusions=exclusions))
    await rig.start()
    for _ in range(5):
        await rig.clock.advance(12 * HOUR)
        await pass_time(rig.clock, 1, LOOPS)
    await turns()
    assert rig.called_at() == [NOON, NOON + 12 * HOUR + 24 * HOUR, NOON + 2 * DAY, NOON + 2 * DAY + 12 * HOUR]
    assert rig.next_of(1) == NOON + 3 * DAY


async def test_a_job_whose_calendar_is_not_there_is_set_aside_alone(rig: Rig) -> None:
    rig.put(replace(job(1), exclusions=resolve((InCalendar("gone"),), "UTC", {})))
    rig.put(job(2))
    await rig.start()
    await turns()
    [(job_id, problem)] = rig.store.set_asides
    assert (job_id, "no calendar named gone" in problem) == (1, True)
    assert rig.called_at() == [NOON]
