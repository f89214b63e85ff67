"""API keys over every store: what a replica takes for known, and for how long."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.db.access_tables import api_keys
from app.db.api_keys import ApiKeyRepository
from app.domain.access import ANYBODY, Scope
from app.domain.api_key import ApiKey, compose, digest_of
from app.domain.clock import FakeClock
from app.domain.errors import InvalidInput, KeyNotFound, Unauthenticated
from app.service.access import AccessService
from app.service.keys import KeyService, bootstrap, new_key
from app.service.known_keys import KnownKeys
from app.service.known_namespaces import KnownNamespaces
from tests.db.building import MINUTE, SECOND, Ledger

NO_SUCH = UUID(int=0)
READS = frozenset({Scope.JOBS_READ})
FIRST = compose(bytes(32))


class Door:
    """Keys as one replica knows them."""

    def __init__(self, ledger: Ledger, clock: FakeClock) -> None:
        known = KnownKeys(ledger.database, clock)
        self.keys = KeyService(ledger.database, known)
        self.access = AccessService(known, KnownNamespaces(ledger.database, clock))

    async def opens(self, told: str | None, *, nearby: bool = True) -> bool:
        try:
            await self.access.caller(told, nearby=nearby)
        except Unauthenticated:
            return False
        return True


@pytest.fixture
def door(ledger: Ledger, clock: FakeClock) -> Door:
    return Door(ledger, clock)


@pytest.fixture
def elsewhere(rival: Ledger, clock: FakeClock) -> Door:
    return Door(rival, clock)


async def test_without_any_key_this_machine_needs_none(door: Door) -> None:
    assert await door.access.caller(None, nearby=True) == ANYBODY
    assert not await door.opens(None, nearby=False)
    assert not await door.opens(FIRST)


async def test_with_the_first_key_everybody_needs_one(door: Door, elsewhere: Door, clock: FakeClock) -> None:
    assert await door.opens(None)
    assert await elsewhere.opens(None)
    made, told = await door.keys.create("ci", READS)
    assert not await door.opens(None)
    caller = await door.access.caller(told, nearby=False)
    assert (caller.id, caller.name, caller.scopes) == (str(made.id), "ci", READS)
    await clock.advance(5 * SECOND)
    assert not await elsewhere.opens(None)


async def test_one_key_that_is_revoked_does_not_let_everybody_in(door: Door) -> None:
    made, told = await door.keys.create("ci", READS)
    await door.keys.revoke(made.id)
    assert not await door.opens(told)
    assert not await door.opens(None)


async def test_a_key_that_is_revoked_is_refused_elsewhere_within_5_s(
    door: Door, elsewhere: Door, clock: FakeClock
) -> None:
    made, told = await door.keys.create("ci", READS)
    assert await elsewhere.opens(told)
    revoked = await door.keys.revoke(made.id)
    assert revoked.revoked_at == clock.now()
    assert not await door.opens(told)
    await clock.advance(5 * SECOND)
    assert not await elsewhere.opens(told)
    assert await door.keys.revoke(made.id) == revoked


async def test_what_a_key_allows_changes_elsewhere_within_5_s(door: Door, elsewhere: Door, clock: FakeClock) -> None:
    made, told = await door.keys.create("ci", READS)
    await elsewhere.access.caller(told, nearby=False)
    changed = await door.keys.change(made.id, {"scopes": frozenset({Scope.RUNS_READ}), "name": "cd"})
    wanted = frozenset({Scope.RUNS_READ})
    assert changed == replace(made, name="cd", scopes=wanted, last_used_at=clock.now())
    await clock.advance(5 * SECOND)
    assert (await elsewhere.access.caller(told, nearby=False)).scopes == {Scope.RUNS_READ}


async def test_a_key_expires_although_it_is_known(door: Door, clock: FakeClock) -> None:
    _, told = await door.keys.create("ci", READS, clock.now() + SECOND)
    assert await door.opens(told)
    await clock.advance(SECOND)
    assert not await door.opens(told)
    with pytest.raises(InvalidInput, match="expired already"):
        await door.keys.create("ci", READS, clock.now())


async def test_a_key_that_is_in_use_is_not_read_for_each_request(door: Door, ledger: Ledger, clock: FakeClock) -> None:
    made, told = await door.keys.create("ci", READS)
    assert await door.opens(told)
    async with ledger.database.begin() as connection:
        await connection.execute(update(api_keys).where(api_keys.c.id == made.id).values(revoked_at=clock.now()))
    assert await door.opens(told)


async def test_a_key_says_to_the_minute_when_it_was_used(door: Door, clock: FakeClock) -> None:
    made, told = await door.keys.create("ci", READS)
    assert made.last_used_at is None
    first = clock.now()
    for _ in range(3):
        assert await door.opens(told)
        await clock.advance(5 * SECOND)
    assert (await door.keys.get(made.id)).last_used_at == first
    await clock.advance(MINUTE)
    assert await door.opens(told)
    assert (await door.keys.get(made.id)).last_used_at == clock.now()


async def test_the_database_holds_no_key(door: Door, ledger: Ledger) -> None:
    _, told = await door.keys.create("ci", READS)
    async with ledger.database.read() as connection:
        [row] = await connection.execute(select(api_keys))
    assert row.digest == digest_of(told)
    assert told not in repr(row)


async def test_keys_are_listed_oldest_first(door: Door) -> None:
    made = [(await door.keys.create(f"key {number}", READS))[0] for number in range(3)]
    first = await door.keys.page(None, 2)
    assert first == made[:2]
    assert await door.keys.page(first[-1].id, 2) == made[2:]
    assert await door.keys.all() == made


async def test_what_is_no_key_is_not_found(door: Door) -> None:
    for asked in (door.keys.get(NO_SUCH), door.keys.revoke(NO_SUCH), door.keys.change(NO_SUCH, {"name": "x"})):
        with pytest.raises(KeyNotFound):
            await asked


async def test_replicas_that_start_together_make_one_first_key(ledger: Ledger, rival: Ledger, door: Door) -> None:
    others = [new_key() for _ in range(4)]
    made = await asyncio.gather(
        *(bootstrap(each.database, told) for each, told in zip([ledger, rival, ledger, rival], others, strict=True))
    )
    assert sorted(made) == [False, False, False, True]
    [first] = await door.keys.all()
    assert (first.name, list(first.scopes)) == ("bootstrap", [Scope.ADMIN])
    assert await door.opens(others[made.index(True)], nearby=False)


async def test_a_first_key_that_was_revoked_stays_so(ledger: Ledger, door: Door) -> None:
    assert await bootstrap(ledger.database, FIRST)
    [first] = await door.keys.all()
    await door.keys.revoke(first.id)
    assert not await bootstrap(ledger.database, FIRST)
    assert not await door.opens(FIRST)


async def test_a_scope_of_a_later_release_allows_nothing(door: Door, ledger: Ledger) -> None:
    made, _ = await door.keys.create("ci", READS)
    async with ledger.database.begin() as connection:
        await connection.execute(update(api_keys).values(scopes="jobs:read secrets:read"))
    assert (await door.keys.get(made.id)).scopes == READS


async def test_a_look_that_a_revocation_overtakes_is_not_kept(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    key, told = await door.keys.create("ci", READS)
    found, go_on, find = asyncio.Event(), asyncio.Event(), ApiKeyRepository.find

    async def held(repository: ApiKeyRepository, digest: str) -> ApiKey | None:
        read = await find(repository, digest)
        found.set()
        await go_on.wait()
        return read

    with monkeypatch.context() as patch:
        patch.setattr(ApiKeyRepository, "find", held)
        asking = asyncio.create_task(door.opens(told))
        await found.wait()
    await door.keys.revoke(key.id)
    go_on.set()
    await asking
    assert not await door.opens(told)
