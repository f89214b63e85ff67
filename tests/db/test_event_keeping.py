"""Events are kept for 24 h: where a stream goes on after that, and what goes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from app.db import aged_partitions
from app.db.event_keeping import BATCH, EventKeeper
from app.db.events import EventLog
from app.db.partitions import EVENTS, make_partitions
from app.db.trace_tables import events
from app.domain.clock import FakeClock
from app.domain.event import Reset
from app.domain.retention import EVENTS_KEPT
from app.service.housekeeping import Housekeeping
from tests.db.building import NOON, SECOND, Ledger
from tests.db.locks import gate
from tests.db.telling import newest

DAY = timedelta(days=1)
LONG_AGO = NOON - 3 * DAY


async def days(ledger: Ledger) -> list[str]:
    query = text("SELECT relname FROM pg_class WHERE relname ~ '^events_[0-9]{8}$' ORDER BY relname")
    async with ledger.database.read() as connection:
        return list(await connection.scalars(query))


async def make_days(ledger: Ledger, *instants: datetime) -> None:
    async with ledger.database.begin() as connection:
        await make_partitions(connection, instants, EVENTS)


def name(day: datetime) -> str:
    return f"events_{day:%Y%m%d}"


async def made_long_ago(ledger: Ledger, clock: FakeClock, old: int, young: int) -> None:
    """So many events of three days before the clock's time, and then so many of now."""
    await make_days(ledger, LONG_AGO, NOON)
    await ledger.populate(old + young)
    assert len(await ledger.table(events)) == old + young
    async with ledger.database.begin() as connection:
        for at, which in ((LONG_AGO, events.c.id <= old), (NOON, events.c.id > old)):
            await connection.execute(update(events).where(which).values(at=at))
    assert clock.now() == NOON


async def test_a_stream_goes_on_where_nothing_is_missing(ledger: Ledger, clock: FakeClock) -> None:
    await made_long_ago(ledger, clock, 7, 5)
    log = EventLog(ledger.database)
    for after in (7, 8, 12):
        assert await log.beginning(after) == (after, None)


async def test_an_id_whose_next_events_are_too_old_begins_with_the_oldest_that_are_kept(
    ledger: Ledger, clock: FakeClock
) -> None:
    await made_long_ago(ledger, clock, 7, 5)
    log = EventLog(ledger.database)
    for after in (0, 1, 6):
        assert await log.beginning(after) == (7, Reset.AGED)
    clock.step(EVENTS_KEPT)
    assert await log.beginning(8) == (8, None)
    clock.step(SECOND)
    assert await log.beginning(8) == (12, Reset.AGED)
    assert await log.beginning(12) == (12, None)


async def test_an_id_whose_next_events_are_gone_begins_with_the_oldest_that_are_there(
    ledger: Ledger, clock: FakeClock
) -> None:
    await made_long_ago(ledger, clock, 7, 5)
    await EventKeeper(ledger.database).tend()
    log = EventLog(ledger.database)
    assert [row.id for row in await ledger.table(events)] == [8, 9, 10, 11, 12]
    assert await log.beginning(6) == (7, Reset.AGED)
    assert await log.beginning(7) == (7, None)
    await ledger.execute("DELETE FROM events")
    assert await log.beginning(11) == (12, Reset.AGED)
    assert await log.beginning(12) == (12, None)
    await make_days(ledger, datetime.now(UTC))
    await ledger.create("more")
    assert await newest(ledger) == 13


async def test_an_id_that_was_never_given_out_begins_anew(ledger: Ledger, clock: FakeClock) -> None:
    await made_long_ago(ledger, clock, 3, 2)
    log = EventLog(ledger.database)
    assert await log.beginning(6) == (3, Reset.UNKNOWN)
    assert await log.beginning(2**63 - 1) == (3, Reset.UNKNOWN)


async def test_an_empty_ledger_has_no_events_to_miss(ledger: Ledger) -> None:
    log = EventLog(ledger.database)
    assert await log.beginning(0) == (0, None)
    assert await log.beginning(1) == (0, Reset.UNKNOWN)


@pytest.mark.parametrize("old", [0, 1, BATCH, 2 * BATCH + 5])
async def test_old_events_go_in_batches(sqlite_url: str, clock: FakeClock, old: int) -> None:
    ledger = Ledger(sqlite_url, clock)
    await made_long_ago(ledger, clock, old, 3)
    await EventKeeper(ledger.database).tend()
    assert [row.id for row in await ledger.table(events)] == [old + 1, old + 2, old + 3]
    await ledger.close()


async def test_when_the_time_is_up_the_rest_is_left_for_the_next_step(ledger: Ledger, clock: FakeClock) -> None:
    await make_days(ledger, LONG_AGO - DAY)
    await made_long_ago(ledger, clock, BATCH + 1, 3)
    async with ledger.database.begin() as connection:
        await connection.execute(update(events).where(events.c.id <= BATCH).values(at=LONG_AGO - DAY))
    keeper, left = EventKeeper(ledger.database), []
    while True:
        more = await keeper.tend(budget=0)
        left.append(len(await ledger.table(events)))
        if not more:
            break
    assert len(left) > 1
    assert left[0] > left[-1] == 3


async def test_whole_days_go_once_their_last_event_is_too_old(postgres: Ledger, clock: FakeClock) -> None:
    await make_days(postgres, *(NOON - number * DAY for number in range(5)))
    await EventKeeper(postgres.database).tend()
    assert await days(postgres) == [name(NOON - DAY), name(NOON)]
    clock.step(timedelta(hours=12) - SECOND)
    await EventKeeper(postgres.database).tend()
    assert await days(postgres) == [name(NOON - DAY), name(NOON)]
    clock.step(SECOND)
    await EventKeeper(postgres.database).tend()
    assert await days(postgres) == [name(NOON)]


async def test_a_day_that_is_held_up_goes_the_next_time_whoever_tends_then(
    postgres: Ledger, rival: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_days(postgres, NOON - 4 * DAY, NOON - 3 * DAY, NOON)
    before = await days(postgres)
    monkeypatch.setattr(aged_partitions, "PATIENCE", 0.5)
    async with gate(postgres.url, "SELECT count(*) FROM events"):
        await EventKeeper(postgres.database).tend()
        assert await days(postgres) == before
    async with postgres.database.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM pg_inherits WHERE inhdetachpending")) == 1
    await asyncio.gather(*(EventKeeper(each.database).tend() for each in (postgres, rival)))
    assert await days(postgres) == [name(NOON)]


async def test_a_day_that_was_detached_and_left_is_dropped(postgres: Ledger) -> None:
    await make_days(postgres, NOON - 4 * DAY)
    await postgres.execute(f"COMMENT ON TABLE {name(NOON - 4 * DAY)} IS '{aged_partitions.MARK}'")
    await postgres.execute(f"ALTER TABLE events DETACH PARTITION {name(NOON - 4 * DAY)}")
    await EventKeeper(postgres.database).tend()
    assert await days(postgres) == []


async def test_a_table_of_such_a_name_that_was_never_ours_is_let_be(postgres: Ledger) -> None:
    await postgres.execute(f"CREATE TABLE {name(NOON - 4 * DAY)} (note text)")
    await EventKeeper(postgres.database).tend()
    assert await days(postgres) == [name(NOON - 4 * DAY)]


@pytest.mark.usefixtures("two_weeks_ahead")
async def test_housekeeping_makes_the_days_of_events_and_drops_those_that_are_over(postgres: Ledger) -> None:
    keeper = Housekeeping(Ledger(postgres.url, None).database)
    today = datetime.now(UTC)
    await make_days(postgres, today - 3 * DAY)
    await postgres.execute(f"DROP TABLE {name(today + DAY)}")
    await keeper.tend()
    assert (await days(postgres))[-15:] == [name(today + number * DAY) for number in range(15)]
    assert name(today - 3 * DAY) not in await days(postgres)
    await keeper._events._database.close()
