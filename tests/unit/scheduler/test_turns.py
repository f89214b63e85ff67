"""Who tries a job first, and what becomes of the others' attempts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from app.domain.claim import Candidate
from app.domain.clock import FakeClock
from app.domain.entries import Due, EntryMap, JobRow
from app.domain.misfire import plan
from app.domain.rendezvous import first_for
from app.domain.replica import Peer
from app.scheduler.turns import Turns
from tests.unit.scheduler.building import ME, MINUTE, NOON, OTHER, SECOND, job
from tests.unit.scheduler.fake_store import FakeStore, away

BOTH = [Peer(ME, 10), Peer(OTHER, 20)]


def _jobs(first: UUID) -> Iterator[JobRow]:
    """Those that this replica is to try first, while both are there."""
    for number in range(1, 1000):
        row = replace(job(number), uid=UUID(int=number * 0x9E3779B97F4A7C15))
        if first_for(row.uid, [ME, OTHER]) == first:
            yield row


class Rig:
    def __init__(self, store: FakeStore) -> None:
        self.store = store
        self.entries = EntryMap()
        self.turns = Turns(self.entries, store, lambda: ME, 1)

    def put(self, row: JobRow) -> JobRow:
        self.store.jobs[row.id] = row
        self.entries.put(row)
        return row

    async def take(self, now: datetime) -> list[str]:
        """The jobs that are to be tried, which stay in hand."""
        return [each.entry.job.name for each in await self.turns.take(self.entries.due(now, 100), now)]


@pytest.fixture
def rig(store: FakeStore) -> Rig:
    return Rig(store)


def _won(row: JobRow, at: datetime) -> Candidate:
    return Candidate(row, plan(row.recurrence, at, at, row.policies.misfire, row.exclusions))


@pytest.fixture
def mine() -> JobRow:
    return next(_jobs(ME))


@pytest.fixture
def others() -> JobRow:
    return next(_jobs(OTHER))


async def test_alone_it_tries_all(rig: Rig, mine: JobRow, others: JobRow) -> None:
    rig.put(mine)
    rig.put(others)
    assert set(await rig.take(NOON)) == {mine.name, others.name}
    assert rig.store.calls == []


async def test_what_another_is_to_try_first_is_left_to_it_for_a_while(rig: Rig, mine: JobRow, others: JobRow) -> None:
    rig.turns.meet(BOTH)
    rig.put(mine)
    rig.put(others)
    assert await rig.take(NOON) == [mine.name]
    assert rig.entries.next_wakeup() == NOON + SECOND
    assert await rig.take(NOON + 0.99 * SECOND) == []
    assert await rig.take(NOON + SECOND) == [others.name]


async def test_what_was_claimed_by_then_is_not_tried(rig: Rig, others: JobRow) -> None:
    rig.turns.meet(BOTH)
    rig.put(others)
    await rig.take(NOON)
    rig.store.jobs[others.id] = replace(others, next_run=NOON + MINUTE)
    assert await rig.take(NOON + SECOND) == []
    assert rig.entries.next_wakeup() == NOON + MINUTE
    assert rig.store.calls == ["waiting"]


@pytest.mark.parametrize("change", ["deleted", "edited"])
async def test_what_is_another_job_by_then_is_for_the_claim_to_tell(rig: Rig, others: JobRow, change: str) -> None:
    rig.turns.meet(BOTH)
    rig.put(others)
    if change == "deleted":
        del rig.store.jobs[others.id]
    else:
        rig.store.jobs[others.id] = replace(others, version=2, next_run=NOON + MINUTE)
    assert await rig.take(NOON + SECOND) == [others.name]


async def test_what_was_locked_by_another_is_looked_at_before_it_is_tried_again(rig: Rig, mine: JobRow) -> None:
    rig.turns.meet(BOTH)
    rig.put(mine)
    [due] = rig.entries.due(NOON, 10)
    rig.entries.defer(due, NOON + SECOND)
    rig.store.jobs[mine.id] = replace(mine, next_run=NOON + MINUTE)
    assert await rig.take(NOON + SECOND) == []
    assert rig.entries.next_wakeup() == NOON + MINUTE


async def test_it_steps_in_before_the_next_is_due(rig: Rig, others: JobRow) -> None:
    rig.turns.meet(BOTH)
    rig.put(replace(others, recurrence=job(1, NOON, "* * * * * *").recurrence))
    assert await rig.take(NOON) == []
    assert rig.entries.next_wakeup() == NOON + SECOND / 2


async def test_a_job_that_can_not_be_computed_is_not_waited_for(rig: Rig, others: JobRow) -> None:
    rig.turns.meet(BOTH)
    rig.put(replace(others, recurrence=replace(others.recurrence, schedule="nonsense")))
    assert await rig.take(NOON) == [others.name]


async def test_a_replica_that_overslept_has_no_turns_until_it_claims_again(rig: Rig) -> None:
    rows = [rig.put(row) for row, _ in zip(_jobs(OTHER), range(3), strict=False)]
    rig.turns.meet(BOTH)
    await rig.take(NOON)
    await rig.take(NOON + SECOND)
    rig.turns.claimed([_won(rows[0], NOON)])
    assert all(rig.turns.is_ours(row.uid) for row in rows)
    rig.turns.meet(BOTH)
    assert all(rig.turns.is_ours(row.uid) for row in rows)
    rig.turns.meet([Peer(ME, 11), Peer(OTHER, 21)])
    assert not any(rig.turns.is_ours(row.uid) for row in rows)


async def test_a_replica_that_is_gone_has_no_turns(rig: Rig, others: JobRow) -> None:
    rig.turns.meet(BOTH)
    assert not rig.turns.is_ours(others.uid)
    rig.turns.meet([Peer(ME)])
    assert rig.turns.is_ours(others.uid)


async def test_it_counts_itself_before_the_others_know_it(rig: Rig, mine: JobRow, others: JobRow) -> None:
    rig.turns.meet([Peer(OTHER)])
    assert (rig.turns.is_ours(mine.uid), rig.turns.is_ours(others.uid)) == (True, False)


async def test_it_tells_how_many_jobs_it_is_to_try_first(rig: Rig, mine: JobRow, others: JobRow) -> None:
    rig.put(mine)
    rig.put(others)
    assert await rig.turns.preferred() == 2
    rig.turns.meet(BOTH)
    assert await rig.turns.preferred() == 1
    rig.entries.remove(mine.id)
    assert await rig.turns.preferred() == 0


async def test_what_it_won_is_counted(rig: Rig, mine: JobRow) -> None:
    rig.turns.meet(BOTH)
    rig.turns.claimed([_won(mine, NOON), _won(mine, NOON + MINUTE)])
    assert rig.turns.won == 2
    assert rig.turns.is_ours(mine.uid)


async def test_entries_that_were_swapped_meanwhile_are_not_deferred(rig: Rig, others: JobRow) -> None:
    rig.turns.meet(BOTH)
    rig.put(others)
    taken: list[Due] = rig.entries.due(NOON, 10)
    rig.put(replace(others, version=2, next_run=NOON + timedelta(hours=1)))
    await rig.turns.take(taken, NOON)
    assert rig.entries.next_wakeup() == NOON + timedelta(hours=1)


async def test_a_database_that_is_away_is_told(rig: Rig, others: JobRow, clock: FakeClock) -> None:
    assert clock.now() == NOON
    rig.turns.meet(BOTH)
    rig.put(others)
    rig.store.before["waiting"] = [away()]
    with pytest.raises(type(away())):
        await rig.take(NOON + SECOND)
