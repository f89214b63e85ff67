"""Reading events costs what is read, however many are kept."""

from __future__ import annotations

import asyncpg
import pytest

from app.db.events import PAGE, SPAN, EventLog
from app.db.trace_tables import events
from app.domain.clock import FakeClock
from app.domain.event import EventFilter
from tests.db.building import NOON, Ledger
from tests.db.plans import explain, listening, most_read
from tests.db.test_event_keeping import DAY, make_days
from tests.servers.postgres import plain_dsn

COUNT = 60_000
_EVENTS = """
INSERT INTO events (id, at, kind, job_id, job_name, job_version)
SELECT number, timestamptz '{start}' + number * interval '2 seconds', 'run.pending', gen_random_uuid(), 'job', 1
FROM generate_series(1, {count}) AS number
"""


@pytest.mark.parametrize("filters", [EventFilter(), EventFilter(job="another")])
async def test_pages_and_beginnings_are_found_by_the_ids(
    postgres: Ledger, clock: FakeClock, filters: EventFilter
) -> None:
    await make_days(postgres, *(NOON - number * DAY for number in range(-2, 3)))
    await postgres.execute(_EVENTS.format(start=NOON - 1.5 * DAY, count=COUNT))
    await postgres.execute(f"SELECT setval('events_id_seq', {COUNT})")
    log = EventLog(postgres.database)
    with listening(postgres.database) as sent:
        found, until = await log.page(40_000, COUNT, filters)
        position, reset = await log.beginning(7)
        assert await log.beginning(50_000) == (50_000, None)
    assert (len(found), until) == ((PAGE, 40_000 + PAGE) if filters.job is None else (0, 40_000 + SPAN))
    assert reset is not None
    oldest = next(row for row in await postgres.table(events) if row.at >= clock.now() - DAY)
    assert position == oldest.id - 1
    assert 8 < len(sent) < 40
    admin = await asyncpg.connect(plain_dsn(postgres.url))
    try:
        for each in sent:
            assert most_read(await explain(admin, each)) <= (SPAN if "job_name =" in each[0] else PAGE), each[0]
    finally:
        await admin.close(timeout=5)
