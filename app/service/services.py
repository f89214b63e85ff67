"""Everything that the API and the command line may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from app.db.engine import Database
from app.scheduler.service import SchedulerService
from app.service.access import AccessService
from app.service.audit_log import AuditLog
from app.service.backfills import BackfillService
from app.service.calendars import CalendarService
from app.service.callbacks import CallbackService
from app.service.events import EventService
from app.service.forecast import ForecastService
from app.service.history import HistoryService
from app.service.idempotency import IdempotencyService
from app.service.jobs import JobService
from app.service.keys import KeyService
from app.service.limits import LimitService
from app.service.namespaces import NamespaceService
from app.service.replicas import ReplicaService
from app.service.runs import RunService
from app.service.secrets import SecretService
from app.service.stats import StatsService
from app.service.switch import SwitchService


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Made once by `main`; the API finds it as `request.app.state.services`. `page_key` signs cursors."""

    database: Database
    page_key: bytes
    access: AccessService
    keys: KeyService
    namespaces: NamespaceService
    secrets: SecretService
    audit: AuditLog
    jobs: JobService
    limits: LimitService
    replicas: ReplicaService
    runs: RunService
    backfills: BackfillService
    forecast: ForecastService
    events: EventService
    history: HistoryService
    stats: StatsService
    callbacks: CallbackService
    idempotency: IdempotencyService
    calendars: CalendarService
    switch: SwitchService
    scheduler: SchedulerService
