"""What replicas ask of MariaDB again and again is found by an index, however long the ledger and the list of jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.clock import FakeClock
from app.domain.replica import Vitals
from tests.db.building import ME, MINUTE, NOON, Ledger, ended, queued, room_for
from tests.db.plans import Sent, listening

JOBS = 2000
LEASE = timedelta(seconds=30)

Ask = Callable[[Ledger], Awaitable[Any]]
ASKED: dict[str, Ask] = {
    "changes": lambda ledger: ledger.rows.changed_since(NOON),
    "cancels": lambda ledger: ledger.cancels.asked(ME),
    "pauses": lambda ledger: ledger.pauses.end_due(),
    "failing": lambda ledger: ledger.failing.pause_failing(),
    "pending": lambda ledger: ledger.starts.pending(100, [], timedelta(0)),
    "opened": lambda ledger: ledger.starts.opened(100, []),
    "deadlines": lambda ledger: ledger.starts.expire(),
    "callbacks": lambda ledger: ledger.starts.time_out(),
    "owned": lambda ledger: ledger.replicas.owned(ME),
    "dead": lambda ledger: ledger.replicas.bury(LEASE),
    "beat": lambda ledger: ledger.replicas.beat(ME, Vitals()),
}


@pytest.fixture
async def filled(mariadb: Ledger, clock: FakeClock) -> Ledger:
    """2,000 jobs with a run each that has ended, and one whose runs go on."""
    await mariadb.replicas.join(ME, "here")
    await mariadb.populate(JOBS)
    await mariadb.execute(_ENDED)
    await mariadb.execute("UPDATE cron_jobs SET updated_at = created_at - INTERVAL 1 YEAR")
    await mariadb.create("busy")
    clock.step(MINUTE)
    return mariadb


_ENDED = """
INSERT INTO job_runs
    (id, ledger_at, job_id, job_name, job_version, scheduled_for, `trigger`, state, due_at, attempt, finished_at)
SELECT REPLACE(UUID(), '-', ''), next_run, uid, name, version, next_run, 'schedule', 'succeeded', next_run, 1, next_run
FROM cron_jobs"""


async def read_whole(ledger: Ledger, sent: list[Sent]) -> list[str]:
    """The statements that read a table, or an index, from end to end."""
    found = []
    async with ledger.database.read() as connection:
        for statement, parameters in sent:
            if statement.startswith(("SELECT", "UPDATE", "DELETE")):
                plan = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
                steps = [row._asdict() for row in plan]
                found += [
                    f"{statement} reads {step}" for step in steps if int(str(step["rows"] or 0).split()[0]) > JOBS / 10
                ]
    return found


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
async def test_what_is_asked_each_second_reads_no_more_than_it_tells(filled: Ledger, asked: Ask) -> None:
    with listening(filled.database) as sent:
        await asked(filled)
    assert await read_whole(filled, sent) == []


async def test_a_claim_a_start_and_a_record_read_what_they_are_about(filled: Ledger, clock: FakeClock) -> None:
    busy = await filled.jobs.get("busy")
    candidate = await filled.candidate(busy, clock.now())
    with listening(filled.database) as sent:
        await filled.claims.claim(ME, [candidate], room_for(0))
        run = await filled.run_of(busy)
        [started] = (await filled.starts.start(ME, [queued(run)])).begun
        await filled.record(ended(started))
    assert await read_whole(filled, sent) == []
    async with filled.database.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM job_runs")) == JOBS + 1
