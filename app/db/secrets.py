"""SecretRepository: the rows of `secrets`, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.secret_tables import job_secrets, secrets
from app.db.tables import cron_jobs
from app.db.tenancy import EVERYWHERE, Tenancy
from app.db.types import AnyRow
from app.domain.errors import NameTaken
from app.domain.secret import Secret

_secret = secrets.c
_FACTS = (_secret.name, _secret.created_at, _secret.updated_at)


class SecretRepository:
    """Values are tokens here, as `app.vault` makes them. Locks come after those of jobs and calendars.

    Names are those of the namespace.
    """

    def __init__(self, connection: AsyncConnection, tenancy: Tenancy = EVERYWHERE) -> None:
        self._connection = connection
        self._tenancy = tenancy

    async def get(self, name: str) -> Secret | None:
        query = select(*_FACTS).where(_secret.name == self._tenancy.key(name))
        row = (await self._connection.execute(query)).first()
        return None if row is None else self._told(row)

    async def page(self, after: str | None, limit: int) -> list[Secret]:
        """By name; `after` is the last name of the page before."""
        query = select(*_FACTS).where(self._tenancy.holds_key(_secret.name)).order_by(_secret.name).limit(limit)
        query = query if after is None else query.where(_secret.name > self._tenancy.key(after))
        return [self._told(row) for row in await self._connection.execute(query)]

    async def tokens(self, names: Collection[str]) -> dict[str, str]:
        """By name; only those that there are."""
        query = select(_secret.name, _secret.token).where(_secret.name.in_(self._tenancy.keys(names)))
        return {self._tenancy.name(row.name): row.token for row in await self._connection.execute(query)}

    async def lock(self, name: str) -> str | None:
        """Its token. No job can come to carry it until the transaction ends."""
        token: str | None = await self._connection.scalar(
            select(_secret.token).where(_secret.name == self._tenancy.key(name)).with_for_update()
        )
        return token

    async def hold(self, names: Collection[str]) -> set[str]:
        """Those that there are; they stay until the transaction ends."""
        query = select(_secret.name).where(_secret.name.in_(self._tenancy.keys(names))).order_by(_secret.name)
        return set(map(self._tenancy.name, await self._connection.scalars(query.with_for_update(read=True))))

    async def add(self, name: str, token: str, at: datetime) -> None:
        """Raises NameTaken."""
        values = {"name": self._tenancy.key(name), "token": token, "created_at": at, "updated_at": at}
        try:
            await self._connection.execute(insert(secrets).values(values))
        except IntegrityError as error:
            raise NameTaken(
                f"A secret named {name} exists already.",
                field="name",
                remedy="Use another name, or PUT to replace its value.",
            ) from error

    async def write(self, name: str, token: str, at: datetime | None = None) -> None:
        """`at` is when its value became another; a token that is only encrypted anew has none."""
        values = {"token": token} if at is None else {"token": token, "updated_at": at}
        await self._connection.execute(update(secrets).where(_secret.name == self._tenancy.key(name)).values(values))

    async def remove(self, name: str) -> None:
        await self._connection.execute(delete(secrets).where(_secret.name == self._tenancy.key(name)))

    async def carry(self, job_id: int, names: Collection[str]) -> None:
        """These are what the job's calls carry from now on."""
        await self._connection.execute(delete(job_secrets).where(job_secrets.c.job_id == job_id))
        if names:
            values = [{"job_id": job_id, "secret": self._tenancy.key(name)} for name in sorted(names)]
            await self._connection.execute(insert(job_secrets), values)

    async def carriers(self, name: str, limit: int) -> list[str]:
        """Names of the jobs whose calls carry it."""
        query = select(cron_jobs.c.name).join(job_secrets, job_secrets.c.job_id == cron_jobs.c.id)
        found = await self._connection.scalars(
            query.where(job_secrets.c.secret == self._tenancy.key(name)).order_by(cron_jobs.c.name).limit(limit)
        )
        return list(found)

    async def uses(self, name: str) -> set[str]:
        """What calls do with it but send it: `signing`, `tls`. It must be locked."""
        policies = cron_jobs.c.policies
        shown = policies["tls", "client_certificate"].as_string().label("shown")
        query = select(policies["signing"].label("signing"), shown)
        query = query.join(job_secrets, job_secrets.c.job_id == cron_jobs.c.id)
        found = list(await self._connection.execute(query.where(job_secrets.c.secret == self._tenancy.key(name))))
        signs = {"signing" for row in found if name in (row.signing or ())}
        return signs | {"tls" for row in found if row.shown == name}

    def _told(self, row: AnyRow) -> Secret:
        return Secret(**row._asdict() | {"name": self._tenancy.name(row.name)})
