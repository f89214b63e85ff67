"""Everything that is encrypted, encrypted anew under the first key, so that a later one can be taken away."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from app.db.engine import Database
from app.db.transaction import transaction
from app.domain.secret import resealed
from app.vault.sealer import Sealer

_PAGE = 500
_FIRST = UUID(int=0)


@dataclass
class Rotated:
    """How many were encrypted anew."""

    secrets: int = 0
    jobs: int = 0
    notices: int = 0


class Rotation:
    """Raises SecretUnreadable for what none of the keys opens; what was done till then stays."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self.done = Rotated()

    async def run(self) -> Rotated:
        name: str | None = ""
        while name is not None:
            name = await self._secrets(name)
        job: int | None = 0
        while job is not None:
            job = await self._jobs(job)
        notice: UUID | None = _FIRST
        while notice is not None:
            notice = await self._notices(notice)
        return self.done

    async def _secrets(self, after: str) -> str | None:
        """The last name of the page; None after the last page."""
        async with transaction(self._database) as tx:
            page = [secret.name for secret in await tx.secrets.page(after, _PAGE)]
            for name in page:
                if token := await tx.secrets.lock(name):
                    await tx.secrets.write(name, self._sealer.rotate(token))
        self.done.secrets += len(page)
        return page[-1] if page else None

    async def _jobs(self, after: int) -> int | None:
        async with transaction(self._database) as tx:
            page = await tx.sealed.lock_jobs(after, _PAGE)
            for row in page:
                values = {name: resealed(getattr(row, name), self._sealer.rotate) for name in ("headers", "policies")}
                await tx.sealed.write_job(row.id, values)
        self.done.jobs += len(page)
        return page[-1].id if page else None

    async def _notices(self, after: UUID) -> UUID | None:
        async with transaction(self._database) as tx:
            page = await tx.sealed.lock_notices(after, _PAGE)
            for row in page:
                await tx.sealed.write_notice(row, resealed(row.call, self._sealer.rotate))
        self.done.notices += len(page)
        return page[-1].id if page else None
