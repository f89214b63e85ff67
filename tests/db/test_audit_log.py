"""The audit log over every store: written with the change or not at all, and kept for its time."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest

from app.db.transaction import transaction
from app.domain.acting import Actor, acting
from app.domain.audit_record import AuditFilter, AuditRecord
from app.domain.clock import FakeClock
from app.domain.errors import NeverFires
from app.service.audit_log import AuditLog
from app.service.housekeeping import Housekeeping
from tests.db.building import NOON, Ledger

ALICE = Actor("7", "alice", "203.0.113.9", "req-1")
HUGE = 2**70


async def lines(ledger: Ledger) -> list[AuditRecord]:
    return await AuditLog(ledger.database).page(AuditFilter(), None, 100)


async def test_a_line_is_written_with_the_change(ledger: Ledger) -> None:
    with acting(ALICE):
        job = await ledger.create("job", body={"number": HUGE, "text": "ü"})
    [line] = await lines(ledger)
    assert (line.actor_id, line.actor, line.address, line.request_id) == ("7", "alice", "203.0.113.9", "req-1")
    assert (line.at, line.action, line.subject, line.subject_id) == (NOON, "job.create", "job", str(job.uid))
    assert line.before is None
    assert line.after is not None
    assert line.after["body"] == {"number": HUGE, "text": "ü"}


async def test_what_is_rolled_back_has_no_line(ledger: Ledger) -> None:
    job = await ledger.create("job")
    with acting(ALICE):
        with pytest.raises(NeverFires):
            await ledger.patch("job", schedule="0 0 30 2 *")
        await ledger.jobs.rehearsal().delete("job")
        with suppress(RuntimeError):
            async with transaction(ledger.database) as tx:
                await tx.audit_log.note("job.delete", "job", job.uid)
                raise RuntimeError
    assert await lines(ledger) == []


async def test_what_the_scheduler_does_has_no_line(ledger: Ledger) -> None:
    await ledger.create("job")
    assert await lines(ledger) == []


async def test_lines_go_when_their_time_is_up(ledger: Ledger, clock: FakeClock) -> None:
    with acting(ALICE):
        await ledger.create("old")
        await clock.advance(timedelta(days=2))
        await ledger.create("new")
    await Housekeeping(ledger.database, audited=timedelta(days=1)).tend()
    assert [line.subject for line in await lines(ledger)] == ["new"]
