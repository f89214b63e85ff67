"""The API over real stores, without the loops of a scheduler unless a test starts them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response

from app.api.application import build_api
from app.api.intake import Intake
from app.db.cancellations import CancellationSource
from app.db.claims import ClaimTransaction
from app.db.engine import Database
from app.db.job_rows import JobRowSource
from app.db.records import RecordTransaction
from app.db.replicas import ReplicaRepository
from app.db.starts import StartTransaction
from app.domain.api_key import compose
from app.domain.clock import Clock, SystemClock
from app.domain.replica import Role
from app.domain.run import Call, Outcome
from app.metrics import Metrics
from app.scheduler.options import Options
from app.scheduler.ports import Ports
from app.scheduler.service import SchedulerService
from app.service.access import AccessService
from app.service.audit_log import AuditLog
from app.service.auditor import Auditor
from app.service.backfills import BackfillService
from app.service.calendars import CalendarService
from app.service.callbacks import CallbackService
from app.service.events import EventService
from app.service.failing import FailingJobs
from app.service.forecast import ForecastService
from app.service.history import HistoryService
from app.service.housekeeping import Housekeeping
from app.service.idempotency import IdempotencyService
from app.service.jobs import JobService
from app.service.keys import KeyService
from app.service.known_keys import KnownKeys
from app.service.known_namespaces import KnownNamespaces
from app.service.known_secrets import KnownSecrets
from app.service.limits import LimitService
from app.service.namespaces import NamespaceService
from app.service.pauses import TimedPauses
from app.service.replicas import ReplicaService
from app.service.runs import RunService
from app.service.secrets import SecretService
from app.service.services import Services
from app.service.stats import StatsService
from app.service.switch import SwitchService
from app.target.address import Targets
from app.target.reach import Reach
from tests.sealing import SEALER

ANYWHERE = Reach(Targets.ANY)
JOB: dict[str, Any] = {"name": "nightly", "schedule": "30 3 * * *", "endpoint": "http://example.com/hook"}
ADMIN = compose(bytes(32))
PAGE_KEY = b"nothing is secret about it"
NO_SUCH_RUN = UUID("0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b")


class Silent:
    """A target that answers at once."""

    async def call(self, call: Call) -> Outcome:
        return Outcome(error=None, status_code=200, response_excerpt=f"run {call.run_id}")


def build_scheduler(database: Database, metrics: Metrics | None = None, clock: Clock | None = None) -> SchedulerService:
    ports = Ports(
        jobs=JobRowSource(database),
        claims=ClaimTransaction(database),
        starts=StartTransaction(database),
        records=RecordTransaction(database),
        cancels=CancellationSource(database),
        pauses=TimedPauses(database),
        failing=FailingJobs(database),
        members=ReplicaRepository(database),
        keeper=Housekeeping(database),
        audit=Auditor(database),
        target=Silent(),
    )
    return SchedulerService(ports, Options(), clock or SystemClock(), metrics)


def known_by(database: Database) -> tuple[KnownKeys, KnownNamespaces]:
    """What a replica knows of callers."""
    return KnownKeys(database, SystemClock()), KnownNamespaces(database, SystemClock())


def build_services(
    database: Database, scheduler: SchedulerService, reach: Reach = ANYWHERE, *, auth: bool = True
) -> Services:
    """Without `auth` nobody is asked for a key, also while the database, which would know of keys, is away."""
    known, namespaces = known_by(database)
    return Services(
        database=database,
        page_key=PAGE_KEY,
        access=AccessService(known, namespaces, required=auth),
        keys=KeyService(database, known),
        namespaces=NamespaceService(database, namespaces),
        audit=AuditLog(database),
        secrets=SecretService(database, SEALER, KnownSecrets(database, SEALER, SystemClock())),
        jobs=JobService(database, scheduler, reach, sealer=SEALER),
        limits=LimitService(database),
        replicas=ReplicaService(database),
        runs=RunService(database, scheduler),
        backfills=BackfillService(database, scheduler),
        forecast=ForecastService(database),
        events=EventService(database),
        history=HistoryService(database),
        stats=StatsService(database),
        callbacks=CallbackService(database, scheduler),
        idempotency=IdempotencyService(database),
        calendars=CalendarService(database, scheduler),
        switch=SwitchService(database, scheduler),
        scheduler=scheduler,
    )


def build_app(
    services: Services | None, metrics: Metrics | None = None, role: Role = Role.ALL, **intake: Any
) -> FastAPI:
    app = build_api(docs_url="/docs", version="1.2.3", role=role, intake=Intake(**intake))
    app.state.services = services
    app.state.metrics = metrics or Metrics()
    return app


def client_of(app: FastAPI, *, raises: bool = True) -> AsyncClient:
    """`raises` lets an unexpected exception through to the test, instead of the answer that a server would send."""
    return AsyncClient(transport=ASGITransport(app, raise_app_exceptions=raises), base_url="http://service.localhost")


async def create(client: AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/v1/jobs", json=JOB | changes)
    assert answer.status_code == 201, answer.text
    job: dict[str, Any] = answer.json()
    return job


def problem(answer: Response, status: int, slug: str) -> dict[str, Any]:
    """The problem that the answer holds, which must be of that kind."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = answer.json()
    assert said["type"] == f"urn:cronledger:problem:{slug}", said
    assert said["status"] == status
    assert said["title"]
    assert said["detail"]
    return said
