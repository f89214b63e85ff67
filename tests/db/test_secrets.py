"""Secrets over every store: what a call carries, what a replica takes for known, and what is encrypted anew."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest

from app.db.engine import Database
from app.db.secrets import SecretRepository
from app.db.tenancy import Tenancy
from app.db.transaction import Transaction, reading
from app.domain.auth import Auth
from app.domain.clock import FakeClock
from app.domain.errors import (
    InvalidInput,
    SecretInUse,
    SecretNotFound,
    SecretUnreadable,
    StoreUnavailable,
    UnsendableSecret,
)
from app.domain.job import PersistedJob
from app.domain.run import Call
from app.domain.secret import named, sealed_token
from app.domain.success import Success
from app.domain.tls import Tls
from app.service.known_secrets import KnownSecrets
from app.service.revealing import Revealer
from app.service.rotation import Rotated
from app.service.secrets import SecretService
from app.target.signature import new_signing_key
from app.vault.sealer import Sealer, new_key
from tests.db.building import MINUTE, ONCE, SECOND, Ledger
from tests.db.noticing import RULE, notices_of, run_job
from tests.sealing import KEY, SEALER
from tests.unit.target.servers import TLS

PEM = "".join((TLS / f"{name}.pem").read_text() for name in ("valid", "key"))
PLAIN = "Bearer s3cr3t"
TOKEN = "token"  # noqa: S105  # its name


class Vault:
    """Secrets as one replica knows them."""

    def __init__(self, ledger: Ledger, clock: FakeClock, sealer: Sealer = SEALER) -> None:
        self.known = KnownSecrets(ledger.database, sealer, clock)
        self.secrets = SecretService(ledger.database, sealer, self.known)
        self.reveal = Revealer(self.known, clock)


@pytest.fixture
def vault(ledger: Ledger, clock: FakeClock) -> Vault:
    return Vault(ledger, clock)


@pytest.fixture
def elsewhere(rival: Ledger, clock: FakeClock) -> Vault:
    return Vault(rival, clock)


async def call_of(ledger: Ledger, clock: FakeClock, job: PersistedJob) -> Call:
    """As the claim makes it of the job's row."""
    clock.step(MINUTE)
    return (await ledger.running(clock.now(), job)).call


async def test_a_call_carries_what_its_job_names(ledger: Ledger, clock: FakeClock, vault: Vault) -> None:
    signing = new_signing_key()
    for name, value in (("token", "s3cr3t"), ("pin", "0815"), ("signing", signing)):
        await vault.secrets.create(name, value)
    job = await ledger.create(
        headers={"X-Pin": named("pin"), "X-Api-Key": PLAIN, "X-Team": "ops"},
        body={"deep": [named("token"), {"secret": "pin", "more": 1}], "kind": "daily"},
        policies=replace(ONCE, auth=Auth(secret=TOKEN, username="me"), signing=("signing",)),
    )
    call = await call_of(ledger, clock, job)
    assert "s3cr3t" not in repr(call)
    revealed = await vault.reveal(call)
    assert revealed.headers == {
        "X-Pin": "0815",
        "X-Api-Key": PLAIN,
        "X-Team": "ops",
        "Authorization": "Basic bWU6czNjcjN0",
    }
    assert revealed.body == {"deep": ["s3cr3t", {"secret": "pin", "more": 1}], "kind": "daily"}
    assert revealed.signing_keys == (signing,)
    assert revealed.in_body
    assert revealed.hidden == {"0815", "s3cr3t", signing, PLAIN, "Basic bWU6czNjcjN0", "bWU6czNjcjN0"}
    assert "s3cr3t" not in repr(revealed)


async def test_a_bearer_token(ledger: Ledger, clock: FakeClock, vault: Vault) -> None:
    await vault.secrets.create("token", "s3cr3t")
    job = await ledger.create(policies=replace(ONCE, auth=Auth(secret=TOKEN)))
    revealed = await vault.reveal(await call_of(ledger, clock, job))
    assert revealed.headers == {"Authorization": PLAIN}
    assert not revealed.in_body


async def test_a_new_value_is_sent_here_at_once_and_elsewhere_in_time(
    clock: FakeClock, vault: Vault, elsewhere: Vault
) -> None:
    await vault.secrets.create("token", "old")
    for each in (vault, elsewhere):
        assert await each.known.values({"token"}) == {"token": "old"}
    await vault.secrets.replace("token", "new")
    assert await vault.known.values({"token"}) == {"token": "new"}
    await clock.advance(3 * SECOND)
    assert await elsewhere.known.values({"token"}) == {"token": "old"}
    await clock.advance(SECOND)
    assert await elsewhere.known.values({"token"}) == {"token": "new"}


async def test_without_the_database_what_was_known_is_sent(
    clock: FakeClock, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vault.secrets.create("token", "s3cr3t")
    await vault.known.values({"token"})
    await clock.advance(MINUTE)

    def away(*_: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr("app.service.known_secrets.reading", away)
    assert await vault.known.values({"token"}) == {"token": "s3cr3t"}
    with pytest.raises(StoreUnavailable):
        await vault.known.values({"token", "other"})


async def test_a_secret_that_went_is_told(ledger: Ledger, clock: FakeClock, vault: Vault) -> None:
    """By hand: the service keeps what jobs name."""
    await vault.secrets.create("token", "s3cr3t")
    job = await ledger.create(headers={"X-Token": named("token")})
    call = await call_of(ledger, clock, job)
    with pytest.raises(SecretInUse):
        await vault.secrets.delete("token")
    await ledger.execute("DELETE FROM secrets")
    with pytest.raises(SecretNotFound, match="no secret named token"):
        await vault.reveal(call)


@pytest.mark.parametrize("value", ["two\nlines", "a\x7f", "schlüssel"])
async def test_a_value_that_a_header_can_not_carry(ledger: Ledger, clock: FakeClock, vault: Vault, value: str) -> None:
    await vault.secrets.create("token", value)
    job = await ledger.create(headers={"X-Token": named("token")})
    call = await call_of(ledger, clock, job)
    with pytest.raises(UnsendableSecret, match="the secret token") as told:
        await vault.reveal(call)
    assert value not in str(told.value)


async def test_a_secret_that_was_made_by_hand_not_to_sign(ledger: Ledger, clock: FakeClock, vault: Vault) -> None:
    await vault.secrets.create("signing", new_signing_key())
    job = await ledger.create(policies=replace(ONCE, signing=("signing",)))
    call = await call_of(ledger, clock, job)
    await ledger.execute("UPDATE secrets SET token = :token", token=SEALER.seal("no-key-at-all", field="value"))
    with pytest.raises(UnsendableSecret, match="the secret signing can't sign"):
        await vault.reveal(call)


async def test_a_password_may_hold_what_a_header_can_not(ledger: Ledger, clock: FakeClock, vault: Vault) -> None:
    await vault.secrets.create("token", "schlüssel")
    job = await ledger.create(policies=replace(ONCE, auth=Auth(secret=TOKEN, username="ich")))
    revealed = await vault.reveal(await call_of(ledger, clock, job))
    assert revealed.headers == {"Authorization": "Basic aWNoOnNjaGzDvHNzZWw="}


async def test_a_body_that_names_no_secret_is_sent_as_it_stands(ledger: Ledger, clock: FakeClock, vault: Vault) -> None:
    """It was written before there were any."""
    job = await ledger.create()
    old = {"client": {"secret": "hunter2"}}
    await ledger.overwrite(job, body=old, headers={"Authorization": PLAIN})
    revealed = await vault.reveal(await call_of(ledger, clock, job))
    assert (revealed.body, revealed.in_body) == (old, False)
    assert revealed.hidden == {PLAIN, "s3cr3t"}


async def test_a_short_body_does_not_grow_without_end(ledger: Ledger, clock: FakeClock, vault: Vault) -> None:
    await vault.secrets.create("token", "x" * 30_000)
    call = await call_of(ledger, clock, await ledger.create(body=[named("token")] * 30))
    assert len((await vault.reveal(call)).body) == 30
    with pytest.raises(UnsendableSecret, match="larger than 1 MiB"):
        await vault.reveal(replace(call, body=[named("token")] * 40))
    with pytest.raises(UnsendableSecret, match="longer than 8 KiB"):
        await vault.reveal(replace(call, body=None, headers={"X-Token": named("token")}))


async def test_of_many_calls_at_once_one_asks(ledger: Ledger, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    await vault.secrets.create("token", "s3cr3t")
    asked: list[Any] = []

    def reading_once(database: Database, tenancy: Tenancy) -> AbstractAsyncContextManager[Transaction]:
        asked.append(database)
        return reading(database, tenancy)

    monkeypatch.setattr("app.service.known_secrets.reading", reading_once)
    found = await asyncio.gather(*(vault.known.values({"token"}) for _ in range(50)))
    assert found == [{"token": "s3cr3t"}] * 50
    assert asked == [ledger.database]


async def test_a_look_that_a_change_overtakes_is_not_kept(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    await vault.secrets.create("token", "old")
    read, go_on, tokens = asyncio.Event(), asyncio.Event(), SecretRepository.tokens

    async def held(repository: SecretRepository, names: Collection[str]) -> dict[str, str]:
        found = await tokens(repository, names)
        read.set()
        await go_on.wait()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(SecretRepository, "tokens", held)
        asking = asyncio.create_task(vault.known.values({"token"}))
        await read.wait()
    await vault.secrets.replace("token", "new")
    go_on.set()
    await asking
    assert await vault.known.values({"token"}) == {"token": "new"}


async def test_with_another_key_nothing_is_opened(ledger: Ledger, clock: FakeClock, vault: Vault) -> None:
    await vault.secrets.create("token", "s3cr3t")
    job = await ledger.create(headers={"X-Token": PLAIN})
    call = await call_of(ledger, clock, job)
    other = Vault(ledger, clock, Sealer([new_key()]))
    for work in (other.known.values({"token"}), other.reveal(call)):
        with pytest.raises(SecretUnreadable):
            await work


async def test_everything_is_encrypted_anew(ledger: Ledger, clock: FakeClock, vault: Vault) -> None:
    told = await vault.secrets.create("token", "s3cr3t")
    rule = replace(RULE, headers={"X-Token": PLAIN, "X-Team": "ops"})
    job = await ledger.create(headers={"X-Api-Key": PLAIN}, policies=replace(ONCE, notify=(rule,)))
    await ledger.create("plain", headers={"X-Team": "sealed"})
    await run_job(ledger, clock, job)
    newer = new_key()
    done = await Vault(ledger, clock, Sealer([newer, KEY])).secrets.rotate()
    assert done == Rotated(secrets=1, jobs=2, notices=1)
    latest = Sealer([newer])
    row = await ledger.row_of(job)
    [notice] = await notices_of(ledger, job)
    for headers in (row.headers, row.policies["notify"][0]["headers"], notice.call["headers"]):
        assert latest.open(_sealed(headers)) == PLAIN
    assert row.version == 1
    assert await Vault(ledger, clock, latest).known.values({"token"}) == {"token": "s3cr3t"}
    assert await vault.secrets.get("token") == told


async def test_what_no_key_opens_is_told_and_stops_nothing(ledger: Ledger, clock: FakeClock, vault: Vault) -> None:
    await vault.secrets.create("token", "s3cr3t")
    await ledger.create("one", headers={"X-Token": PLAIN})
    success = Success(body_json={"/a": {"sealed": "what somebody wrote"}})
    job = await ledger.create("two", headers={"X-Team": "ops"}, policies=replace(ONCE, success=success))
    lost = Vault(ledger, clock, Sealer([new_key()])).secrets
    await lost.create("other", "value")
    done = await lost.rotate()
    assert done == Rotated(secrets=1, jobs=1, unreadable=["the secret token", "headers of the job one"])
    assert (await ledger.row_of(job)).policies["success"]["body_json"] == {"/a": {"sealed": "what somebody wrote"}}
    assert await vault.known.values({"token"}) == {"token": "s3cr3t"}


def _sealed(headers: dict[str, Any]) -> str:
    [token] = [token for value in headers.values() if (token := sealed_token(value))]
    return token


async def test_a_value_that_its_jobs_could_not_use_is_refused(ledger: Ledger, vault: Vault) -> None:
    await vault.secrets.create("sign", new_signing_key())
    await vault.secrets.create("shown", PEM)
    await vault.secrets.create("other", "s3cr3t")
    policies = replace(ONCE, signing=("sign",), tls=Tls(client_certificate="shown"))
    await ledger.create(endpoint="https://one.example/", policies=policies)
    for name in ("sign", "shown"):
        with pytest.raises(InvalidInput, match=f"Jobs name the secret {name} in ") as refused:
            await vault.secrets.replace(name, "s3cr3t")
        assert refused.value.field == "value"
    await vault.secrets.replace("sign", new_signing_key())
    await vault.secrets.replace("shown", PEM)
    await vault.secrets.replace("other", "another")
    await ledger.jobs.delete("job")
    await vault.secrets.replace("sign", "s3cr3t")
