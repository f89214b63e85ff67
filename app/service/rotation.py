"""Everything that is encrypted, encrypted anew under the first key, so that a later one can be taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.db.engine import Database
from app.db.tenancy import EVERYWHERE
from app.db.transaction import Transaction, reading, transaction
from app.db.types import AnyRow
from app.domain.errors import SecretUnreadable
from app.domain.secret import resealed
from app.vault.sealer import Sealer

_PAGE = 500


@dataclass
class Rotated:
    """How many were encrypted anew, and what none of the keys opens, which stays as it is."""

    secrets: int = 0
    jobs: int = 0
    notices: int = 0
    unreadable: list[str] = field(default_factory=list)


class Rotation:
    """Over all namespaces."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._done = Rotated()

    async def run(self) -> Rotated:
        name: str | None = ""
        while name is not None:
            name = await self._secrets(name)
        job: int | None = 0
        while job is not None:
            job = await self._jobs(job)
        async with reading(self._database, EVERYWHERE) as tx:
            notices = await tx.sealed.notices()
        for notice in notices:
            async with transaction(self._database, EVERYWHERE) as tx:
                await self._notice(tx, await tx.sealed.lock_notice(*notice))
        return self._done

    async def _secrets(self, after: str) -> str | None:
        """The last name of the page; None after the last page."""
        async with transaction(self._database, EVERYWHERE) as tx:
            page = [secret.name for secret in await tx.secrets.page(after, _PAGE)]
            for name in page:
                await self._secret(tx, name)
        return page[-1] if page else None

    async def _jobs(self, after: int) -> int | None:
        async with transaction(self._database, EVERYWHERE) as tx:
            page = await tx.sealed.lock_jobs(after, _PAGE)
            for row in page:
                await self._job(tx, row)
        return page[-1].id if page else None

    async def _secret(self, tx: Transaction, name: str) -> None:
        token = await tx.secrets.lock(name)
        try:
            if token is not None:
                await tx.secrets.write(name, self._sealer.rotate(token))
                self._done.secrets += 1
        except SecretUnreadable:
            self._done.unreadable.append(f"the secret {name}")

    async def _job(self, tx: Transaction, row: AnyRow) -> None:
        try:
            values = {"headers": self._renewed(row.headers), "policies": self._policies(row.policies)}
        except SecretUnreadable:
            self._done.unreadable.append(f"headers of the job {row.name}")
            return
        await tx.sealed.write_job(row.id, values)
        self._done.jobs += 1

    async def _notice(self, tx: Transaction, row: AnyRow | None) -> None:
        """It may have been sent, and even forgotten, meanwhile."""
        if row is None or row.call is None:
            return
        try:
            call = row.call | {"headers": self._renewed(row.call["headers"])}
        except SecretUnreadable:
            self._done.unreadable.append(f"headers of the notice {row.id}")
            return
        await tx.sealed.write_notice(row, call)
        self._done.notices += 1

    def _policies(self, stored: dict[str, Any]) -> dict[str, Any]:
        if "notify" not in stored:
            return stored
        renewed = [rule | {"headers": self._renewed(rule.get("headers", {}))} for rule in stored["notify"]]
        return stored | {"notify": renewed}

    def _renewed(self, headers: Mapping[str, Any]) -> dict[str, Any]:
        return resealed(headers, self._sealer.rotate)
