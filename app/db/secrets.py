"""SecretRepository: the rows of `secrets`, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.secret_tables import job_secrets, secrets
from app.db.tables import cron_jobs
from app.domain.errors import NameTaken
from app.domain.secret import Secret

_secret = secrets.c
_FACTS = (_secret.name, _secret.created_at, _secret.updated_at)


class SecretRepository:
    """Values are tokens here, as `app.vault` makes them. Locks come after those of jobs and calendars."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, name: str) -> Secret | None:
        row = (await self._connection.execute(select(*_FACTS).where(_secret.name == name))).first()
        return None if row is None else Secret(**row._mapping)

    async def page(self, after: str | None, limit: int) -> list[Secret]:
        """By name; `after` is the last name of the page before."""
        query = select(*_FACTS).order_by(_secret.name).limit(limit)
        found = await self._connection.execute(query if after is None else query.where(_secret.name > after))
        return [Secret(**row._mapping) for row in found]

    async def tokens(self, names: Collection[str]) -> dict[str, str]:
        """By name; only those that there are."""
        query = select(_secret.name, _secret.token).where(_secret.name.in_(names))
        return {row.name: row.token for row in await self._connection.execute(query)}

    async def lock(self, name: str) -> str | None:
        """Its token. No job can come to carry it until the transaction ends."""
        token: str | None = await self._connection.scalar(
            select(_secret.token).where(_secret.name == name).with_for_update()
        )
        return token

    async def hold(self, names: Collection[str]) -> set[str]:
        """Those that there are; they stay until the transaction ends."""
        query = select(_secret.name).where(_secret.name.in_(names)).order_by(_secret.name)
        return set(await self._connection.scalars(query.with_for_update(read=True)))

    async def add(self, name: str, token: str, at: datetime) -> None:
        """Raises NameTaken."""
        try:
            await self._connection.execute(insert(secrets).values(name=name, token=token, created_at=at, updated_at=at))
        except IntegrityError as error:
            raise NameTaken(
                f"A secret named {name} exists already.",
                field="name",
                remedy="Use another name, or PUT to replace its value.",
            ) from error

    async def write(self, name: str, token: str, at: datetime | None = None) -> None:
        """`at` is when its value became another; a token that is only encrypted anew has none."""
        values = {"token": token} if at is None else {"token": token, "updated_at": at}
        await self._connection.execute(update(secrets).where(_secret.name == name).values(values))

    async def remove(self, name: str) -> None:
        await self._connection.execute(delete(secrets).where(_secret.name == name))

    async def carry(self, job_id: int, names: Collection[str]) -> None:
        """These are what the job's calls carry from now on."""
        await self._connection.execute(delete(job_secrets).where(job_secrets.c.job_id == job_id))
        if names:
            values = [{"job_id": job_id, "secret": name} for name in sorted(names)]
            await self._connection.execute(insert(job_secrets), values)

    async def carriers(self, name: str, limit: int) -> list[str]:
        """Names of the jobs whose calls carry it."""
        query = select(cron_jobs.c.name).join(job_secrets, job_secrets.c.job_id == cron_jobs.c.id)
        found = await self._connection.scalars(
            query.where(job_secrets.c.secret == name).order_by(cron_jobs.c.name).limit(limit)
        )
        return list(found)
