"""Namespaces beside what knows none: earlier releases, and rows that were written by hand."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.db.schema_level import LEVEL, cronledger_schema
from app.db.transaction import reading
from app.domain.access import Scope
from app.domain.api_key import digest_of
from app.domain.clock import FakeClock
from app.domain.errors import UnknownCalendar
from app.domain.namespace import DEFAULT, Quotas
from app.service.keys import KeyService
from app.service.known_keys import FRESH_SECONDS, KnownKeys
from app.service.known_namespaces import KnownNamespaces
from app.service.known_secrets import KnownSecrets
from app.service.revealing import Revealer
from app.service.secrets import SecretService
from tests.db.building import MINUTE, NOON, SECOND, Ledger
from tests.db.leaving_out import TODAY, calendar
from tests.db.tenants import ACME, namespaces_of, put, within
from tests.sealing import SEALER


async def test_an_earlier_release_does_not_start_once_there_is_one(ledger: Ledger, clock: FakeClock) -> None:
    async def needs() -> int | None:
        async with ledger.database.read() as connection:
            found: int | None = await connection.scalar(select(cronledger_schema.c.needs))
        return found

    before = await needs()
    await namespaces_of(ledger, clock).put(DEFAULT, Quotas(max_jobs=9))
    assert (await needs(), before) == (before, 1)
    await put(ledger)
    assert await needs() == LEVEL == 2


async def test_default_is_there_without_a_row(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.execute("DELETE FROM namespaces")
    assert await KnownNamespaces(ledger.database, clock).quotas(DEFAULT) == Quotas()
    with within(DEFAULT):
        await ledger.create()
        await ledger.runs.trigger("job")
    _, is_new = await namespaces_of(ledger, clock).put(DEFAULT, Quotas(max_jobs=1))
    assert is_new


async def test_an_earlier_release_finds_no_key_of_another(ledger: Ledger, clock: FakeClock) -> None:
    await put(ledger)
    known = KnownKeys(ledger.database, clock)
    keys = KeyService(ledger.database, known)
    with within(ACME):
        made, theirs = await keys.create("ci", frozenset({Scope.ADMIN}))
        _, ours = await keys.create("ci", frozenset({Scope.ADMIN}))
    async with reading(ledger.database) as tx:
        assert await tx.api_keys.find([digest_of(theirs)]) is None
    assert await known.find(theirs) == made
    await ledger.execute("UPDATE api_keys SET namespace = 'default'")
    await clock.advance(SECOND * FRESH_SECONDS)
    assert await known.find(ours) is None, "a key that was moved by hand is none of its new place"


async def test_what_is_named_by_the_key_of_another_is_not_found(ledger: Ledger, clock: FakeClock) -> None:
    """As it may stand in a row that was not written by way of the API."""
    await put(ledger)
    known = KnownSecrets(ledger.database, SEALER, clock)
    with within(ACME):
        await SecretService(ledger.database, SEALER, known).create("token", "s3cr3t")
        await ledger.calendars.create(calendar(TODAY))
    job = await ledger.create()
    stolen = {"exclude": [{"calendar": "acme:holidays"}]}
    await ledger.overwrite(job, body={"secret": "acme:token"}, policies=stolen)
    [row] = await ledger.rows.enabled_among([job.id])
    with pytest.raises(UnknownCalendar):
        row.exclusions.covers(NOON)
    await ledger.overwrite(job, policies={})
    clock.step(MINUTE)
    call = (await ledger.running(clock.now(), job)).call
    assert (await Revealer(known, clock)(call)).body == {"secret": "acme:token"}
