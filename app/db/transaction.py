"""One transaction, with the repositories that work in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.api_keys import ApiKeyRepository
from app.db.attempts import AttemptRepository
from app.db.audit_log import AuditLogRepository
from app.db.audits import AuditRepository
from app.db.backfills import BackfillRepository
from app.db.calendars import CalendarRepository
from app.db.changes import notify_change
from app.db.engine import Database
from app.db.histories import HistoryRepository
from app.db.idempotency import IdempotencyRepository
from app.db.jobs import JobRepository
from app.db.limits import LimitRepository
from app.db.namespaces import NamespaceRepository
from app.db.recovery import RecoveryRepository
from app.db.replica_rows import ReplicaRows
from app.db.retention import RetentionRepository
from app.db.runs import RunRepository
from app.db.sealed import SealedRepository
from app.db.secrets import SecretRepository
from app.db.spans import SpanRepository
from app.db.stats import StatsRepository
from app.db.switch import SwitchRepository
from app.db.tenancy import Tenancy
from app.db.versions import VersionRepository
from app.domain.acting import current_namespace
from app.domain.job import PersistedJob


class Transaction:
    """What a use case works with. Committed when the `async with` that opened it ends well."""

    def __init__(self, database: Database, connection: AsyncConnection, tenancy: Tenancy) -> None:
        self._database = database
        self._connection = connection
        self.tenancy = tenancy
        self.namespaces = NamespaceRepository(connection)
        self.jobs = JobRepository(connection, tenancy)
        self.calendars = CalendarRepository(connection, tenancy)
        self.runs = RunRepository(connection, tenancy)
        self.attempts = AttemptRepository(connection)
        self.limits = LimitRepository(connection, tenancy)
        self.backfills = BackfillRepository(connection, tenancy)
        self.spans = SpanRepository(connection)
        self.versions = VersionRepository(connection, tenancy)
        self.switch = SwitchRepository(connection)
        self.replicas = ReplicaRows(connection)
        self.api_keys = ApiKeyRepository(connection, tenancy)
        self.secrets = SecretRepository(connection, tenancy)
        self.sealed = SealedRepository(connection)
        self.idempotency = IdempotencyRepository(connection)
        self.history = HistoryRepository(connection)
        self.audit_log = AuditLogRepository(connection, database.now, tenancy)
        self.audits = AuditRepository(connection)
        self.stats = StatsRepository(connection, tenancy)
        self.retention = RetentionRepository(connection)
        self.recovery = RecoveryRepository(connection)

    async def time(self) -> datetime:
        """The database's clock at this moment of the transaction."""
        now: datetime = (await self._connection.execute(select(self._database.now))).scalar_one()
        return now

    async def boundary(self, jobs: Iterable[PersistedJob]) -> datetime:
        """The instant at which these jobs change: now, and never before what stands in their histories.

        A clock that is set right, or another server, may be behind the one that wrote those: what it accounted for
        would be accounted for again.
        """
        uids, now = [job.uid for job in jobs], await self.time()
        told = [await self.versions.began(uids), await self.spans.last(uids), await self.runs.last_after(now, uids)]
        told.append(await self.retention.last(uids))  # asked last: what goes meanwhile is in one answer or the other
        return max([now, *(at for at in told if at is not None)])

    async def notify(self, job_id: int | None) -> None:
        """Tell every replica of the job when this commits; None is many jobs."""
        await notify_change(self._connection, job_id)


@asynccontextmanager
async def transaction(database: Database, tenancy: Tenancy | None = None) -> AsyncIterator[Transaction]:
    """Of the actor's namespace, unless another tenancy is given. Raises StoreUnavailable where there is no database."""
    async with database.begin() as connection:
        yield Transaction(database, connection, tenancy or Tenancy(current_namespace()))


@asynccontextmanager
async def reading(database: Database, tenancy: Tenancy | None = None) -> AsyncIterator[Transaction]:
    """The same for what only reads."""
    async with database.read() as connection:
        yield Transaction(database, connection, tenancy or Tenancy(current_namespace()))
