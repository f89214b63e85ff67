"""Use cases of secrets: told, listed without their values, replaced, deleted, encrypted anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from app.db import migrate
from app.db.engine import Database, connect
from app.db.transaction import reading, transaction
from app.domain.acting import Actor, acting
from app.domain.clock import SystemClock
from app.domain.errors import InvalidInput, NameTaken, SecretInUse, SecretNotFound, UnsendableSecret
from app.domain.namespace import DEFAULT
from app.domain.secret import Secret
from app.service.known_secrets import KnownSecrets
from app.service.quotas import check_name, hold_home
from app.service.rotation import Rotated, Rotation
from app.target.signature import check_signing_key
from app.target.tls import check_certificate
from app.vault.sealer import Sealer

T = TypeVar("T")

_CHECKS: dict[str, Callable[[str], None]] = {"signing": check_signing_key, "tls": check_certificate}
_TOLD = 5
"""Jobs named by a secret that can't be deleted."""


class SecretService:
    """Raises the errors of `domain.errors`. What changes here is known here at once, and elsewhere within 5 s."""

    def __init__(self, database: Database, sealer: Sealer, known: KnownSecrets) -> None:
        self._database = database
        self.sealer = sealer
        self.known = known

    async def get(self, name: str) -> Secret:
        async with reading(self._database) as tx:
            return _found(await tx.secrets.get(name), name)

    async def page(self, after: str | None, limit: int) -> list[Secret]:
        async with reading(self._database) as tx:
            return await tx.secrets.page(after, limit)

    async def all(self) -> list[Secret]:
        found: list[Secret] = []
        while page := await self.page(found[-1].name if found else None, 1000):
            found += page
        return found

    async def create(self, name: str, value: str) -> Secret:
        token = self.sealer.seal(value, field="value")
        async with transaction(self._database) as tx:
            check_name(tx, name)
            await tx.secrets.add(name, token, await tx.time())
            await hold_home(tx)
            await tx.audit_log.note("secret.create", name)
            made = _found(await tx.secrets.get(name), name)
        self.known.forget(tx.tenancy.key(name))
        return made

    async def replace(self, name: str, value: str) -> tuple[Secret, bool]:
        """Create it or give it this value; the flag says whether it is new."""
        while True:
            try:
                return await self._change(name, value), False
            except SecretNotFound:
                pass
            try:
                return await self.create(name, value), True
            except NameTaken:  # somebody made it between our look and our insert
                continue

    async def delete(self, name: str) -> None:
        """Raises SecretInUse."""
        async with transaction(self._database) as tx:
            if await tx.secrets.lock(name) is None:
                raise _unknown(name)
            if carriers := await tx.secrets.carriers(name, _TOLD + 1):
                more = " and others" if len(carriers) > _TOLD else ""
                raise SecretInUse(
                    f"The secret {name} is carried by the calls of {', '.join(carriers[:_TOLD])}{more}.",
                    remedy="Change these jobs first.",
                )
            await tx.secrets.remove(name)
            await tx.audit_log.note("secret.delete", name)
        self.known.forget(tx.tenancy.key(name))

    async def rotate(self) -> Rotated:
        """Encrypt everything anew under the first key, in all namespaces."""
        return await Rotation(self._database, self.sealer).run()

    async def _change(self, name: str, value: str) -> Secret:
        token = self.sealer.seal(value, field="value")
        async with transaction(self._database) as tx:
            if await tx.secrets.lock(name) is None:
                raise _unknown(name)
            _check_uses(name, value, await tx.secrets.uses(name))
            await tx.secrets.write(name, token, await tx.time())
            await tx.audit_log.note("secret.change", name)
            changed = _found(await tx.secrets.get(name), name)
        self.known.forget(tx.tenancy.key(name))
        return changed


async def with_secrets(
    url: str, sealer: Sealer, work: Callable[[SecretService], Awaitable[T]], namespace: str = DEFAULT
) -> T:
    """On the database itself, which is brought up to date first."""
    await asyncio.to_thread(migrate.upgrade, url)
    database = connect(url)
    try:
        with acting(Actor(None, "command line", is_admin=True, namespace=namespace)):
            known = KnownSecrets(database, sealer, SystemClock())
            return await work(SecretService(database, sealer, known))
    finally:
        await database.close()


def _check_uses(name: str, value: str, uses: Iterable[str]) -> None:
    """Raises InvalidInput for a value with which the calls that use it would fail."""
    for use in uses:
        try:
            _CHECKS[use](value)
        except UnsendableSecret as error:
            raise InvalidInput(
                f"Jobs name the secret {name} in {use}, for which this value can't be used: {error.message}.",
                field="value",
                remedy="Use another value, or make another secret.",
            ) from None


def _found(secret: Secret | None, name: str) -> Secret:
    if secret is None:
        raise _unknown(name)
    return secret


def _unknown(name: str) -> SecretNotFound:
    return SecretNotFound(
        f"There is no secret named {name}.", remedy="GET /v1/secrets lists the names of those that there are."
    )
