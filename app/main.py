"""The composition root: every part is made here, and handed to those who use it."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI

from app import __version__
from app.api.application import build_api
from app.config import Settings
from app.coordination.coordinator import RedisCoordinator
from app.db import migrate
from app.db.cancellations import CancellationSource
from app.db.changes import change_feed
from app.db.claims import ClaimTransaction
from app.db.engine import Database, connect
from app.db.job_rows import JobRowSource
from app.db.page_key import page_key as read_page_key
from app.db.records import RecordTransaction
from app.db.replicas import ReplicaRepository
from app.db.starts import StartTransaction
from app.domain.clock import SystemClock
from app.domain.errors import StoreUnavailable
from app.domain.replica import Role
from app.identity.key_source import KeySource
from app.identity.tokens import TokenReader
from app.logs import configure_logs
from app.metrics import Metrics
from app.scheduler.observer import Observers
from app.scheduler.options import Options
from app.scheduler.ports import NoAnnouncer, Ports, Target
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
from app.service.keys import KeyService, bootstrap
from app.service.known_keys import KnownKeys
from app.service.known_namespaces import KnownNamespaces
from app.service.known_secrets import KnownSecrets
from app.service.limits import LimitService
from app.service.namespaces import NamespaceService
from app.service.pauses import TimedPauses
from app.service.recompute import recompute
from app.service.replicas import ReplicaService
from app.service.revealing import Revealer
from app.service.runs import RunService
from app.service.secrets import SecretService
from app.service.services import Services
from app.service.stats import StatsService
from app.service.switch import SwitchService
from app.signals import chained
from app.target.caller import HttpTarget, Reveal, as_it_is
from app.target.proxy import read_proxy
from app.target.signature import read_signing_keys
from app.target.tls import trusting
from app.vault.sealer import Sealer, read_keys

_log = structlog.get_logger()


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service with its scheduler; what it is made of lives from startup to shutdown.

    Without settings it reads them itself, so that `uvicorn --factory app.main:create_app` works.
    """
    chosen = settings or Settings()
    configure_logs(chosen.log_level, chosen.log_format)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(chosen) as (services, metrics):
            app.state.services = services
            app.state.metrics = metrics
            yield

    return build_api(
        docs_url=chosen.docs_url,
        version=__version__,
        role=Role(chosen.role),
        intake=chosen.intake,
        lifespan=lifespan,
    )


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[tuple[Services, Metrics]]:
    """Migrate, start, and when it ends drain. Raises StoreUnavailable where there is no database to start with."""
    await asyncio.to_thread(migrate.upgrade, settings.database_url)
    database = connect(settings.database_url, pool=settings.database_pool)
    secrets = build_secrets(settings, database)
    target = build_target(settings, Revealer(secrets.known, SystemClock()))
    metrics = Metrics()
    redis = RedisCoordinator(settings.redis_url, settings.redis_prefix, SystemClock()) if settings.redis_url else None
    scheduler = build_scheduler(settings, database, target, metrics, redis)
    services = build_services(settings, database, scheduler, secrets, await read_page_key(database))
    metrics.watch(scheduler)
    await target.open()
    try:
        if settings.bootstrap_key:
            await bootstrap(database, settings.bootstrap_key)
        await recompute(database)
        await services.switch.finish()
        await scheduler.start()
        if redis is not None:
            metrics.watch_redis(lambda: redis.up)
            redis.start(lambda: scheduler.replica, scheduler.runner.running, scheduler.members_changed)
        # What has been loaded stays: walking all of it to find garbage would hold up calls that are due.
        gc.collect()
        gc.freeze()
        with chained((signal.SIGTERM, signal.SIGINT), lambda: _begin_to_stop(scheduler, services)):
            yield services, metrics
    finally:
        services.events.close()
        await _stop(scheduler, settings.drain_seconds)
        if redis is not None:
            await redis.close()
        await target.close()
        await database.close()


def build_target(settings: Settings, reveal: Reveal = as_it_is) -> HttpTarget:
    return HttpTarget(
        settings.reach,
        SystemClock(),
        __version__,
        ca_bundle=settings.ca_bundle or None,
        proxy=read_proxy(settings.egress_proxy),
        public_url=settings.reached_at,
        reveal=reveal,
        signing_keys=read_signing_keys(settings.signing_keys),
    )


def build_secrets(settings: Settings, database: Database) -> SecretService:
    sealer = Sealer(read_keys(settings.secret_keys))
    return SecretService(database, sealer, KnownSecrets(database, sealer, SystemClock()))


def build_scheduler(
    settings: Settings, database: Database, target: Target, metrics: Metrics, redis: RedisCoordinator | None = None
) -> SchedulerService:
    """Where the database tells nothing, the poll and the comparison see what others changed, at the same pace.

    What Redis tells is not relied upon.
    """
    listening = change_feed(settings.database_url)
    ports = Ports(
        jobs=JobRowSource(database),
        claims=ClaimTransaction(database),
        starts=StartTransaction(database, settings.catch_up_rate),
        records=RecordTransaction(database),
        cancels=CancellationSource(database),
        pauses=TimedPauses(database),
        failing=FailingJobs(database),
        members=ReplicaRepository(database, settings.kept),
        keeper=Housekeeping(database, settings.kept, settings.audited),
        audit=Auditor(database),
        target=target,
        feed=listening or redis,
        announcer=redis or NoAnnouncer(),
    )
    options = Options(
        hostname=socket.gethostname(),
        concurrency=settings.concurrency,
        per_host_concurrency=settings.per_host_concurrency,
        lease_seconds=settings.lease_seconds,
        poll_seconds=settings.poll_seconds,
        compare_seconds=settings.compare_seconds if listening else settings.poll_seconds,
        grace_seconds=settings.takeover_grace_seconds,
        version=__version__,
        role=Role(settings.role),
    )
    observer = metrics if redis is None else Observers(metrics, redis)
    return SchedulerService(ports, options, SystemClock(), observer)


def build_services(
    settings: Settings, database: Database, scheduler: SchedulerService, secrets: SecretService, page_key: bytes
) -> Services:
    known, namespaces = KnownKeys(database, SystemClock()), KnownNamespaces(database, SystemClock())
    return Services(
        database=database,
        page_key=page_key,
        access=AccessService(known, namespaces, tokens=build_tokens(settings), required=settings.auth == "on"),
        keys=KeyService(database, known),
        namespaces=NamespaceService(database, namespaces),
        audit=AuditLog(database),
        secrets=secrets,
        jobs=JobService(
            database, scheduler, settings.reach, sealer=secrets.sealer, reachable=settings.reached_at is not None
        ),
        limits=LimitService(database),
        replicas=ReplicaService(database),
        runs=RunService(database, scheduler),
        backfills=BackfillService(database, scheduler),
        forecast=ForecastService(database),
        events=EventService(database, settings.event_streams),
        history=HistoryService(database, settings.kept),
        stats=StatsService(database, settings.kept),
        callbacks=CallbackService(database, scheduler),
        idempotency=IdempotencyService(database),
        calendars=CalendarService(database, scheduler),
        switch=SwitchService(database, scheduler),
        scheduler=scheduler,
    )


def build_tokens(settings: Settings) -> TokenReader | None:
    """None where no identity provider is trusted."""
    if settings.trust is None:
        return None
    tls = trusting(settings.ca_bundle) if settings.ca_bundle else None
    return TokenReader(settings.trust, KeySource(settings.jwt_keys, SystemClock(), tls), SystemClock())


def _begin_to_stop(scheduler: SchedulerService, services: Services) -> None:
    """In a signal handler. The server waits for open requests, and a stream would go on for ever."""
    scheduler.stop_claiming()
    services.events.close()


async def _stop(scheduler: SchedulerService, drain_seconds: float) -> None:
    """A database that is away must not keep the process: what it can't be told, the lease's end tells the others."""
    try:
        await scheduler.stop(drain_seconds)
    except StoreUnavailable as error:
        _log.warning("stopped without the database", cause=repr(error.__cause__))
