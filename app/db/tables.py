"""The tables. `cron_jobs` is the seed's, widened; the migrations add up to what stands here (a test compares them)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
    true,
)

from app.db.types import UtcDateTime, json_column

metadata = MetaData(
    naming_convention={
        "ix": "idx_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

cron_jobs = Table(
    "cron_jobs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(255), nullable=False),
    Column("schedule", String(1024), nullable=False),
    Column("endpoint", String(2048)),
    Column("last_run", UtcDateTime),
    Column("last_success", UtcDateTime),
    Column("last_error", Text),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("created_at", UtcDateTime, nullable=False, server_default=func.now()),
    Column("updated_at", UtcDateTime, nullable=False, server_default=func.now()),
    Column("uid", Uuid, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("timezone", String(64), nullable=False, server_default="UTC"),
    Column("day_rule", String(3), nullable=False, server_default="or"),
    Column("description", Text, nullable=False, server_default=""),
    Column("labels", json_column(), nullable=False, server_default="{}"),
    Column("method", String(16), nullable=False, server_default="POST"),
    Column("headers", json_column(), nullable=False, server_default="{}"),
    Column("body", json_column()),
    Column("timeout_seconds", Float, nullable=False, server_default="30"),
    Column("starts_at", UtcDateTime),
    Column("ends_at", UtcDateTime),
    Column("host", String(280), nullable=False, server_default=""),
    Column("anchor", UtcDateTime, nullable=False),
    Column("next_run", UtcDateTime),
    Column("problem", Text),
    Column("computed_under", String(64), nullable=False, server_default=""),
    Column("last_success_run", Uuid),
    UniqueConstraint("name"),
    UniqueConstraint("uid"),
    Index(
        "idx_cron_jobs_enabled", "enabled", postgresql_where=text("enabled = true"), sqlite_where=text("enabled = 1")
    ),
    Index("idx_cron_jobs_last_run", "last_run"),
    Index("idx_cron_jobs_updated_at", "updated_at"),
    sqlite_autoincrement=True,  # an id that came back would meet the entries of the job that had it before
)

job_runs = Table(
    "job_runs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ledger_at", UtcDateTime, primary_key=True),
    Column("job_id", Uuid, nullable=False),
    Column("job_name", String(255), nullable=False),
    Column("job_version", Integer, nullable=False),
    Column("scheduled_for", UtcDateTime, nullable=False),
    Column("trigger", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("due_at", UtcDateTime, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("takeovers", Integer, nullable=False, server_default="0"),
    Column("owner", Uuid),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("status_code", Integer),
    Column("error", Text),
    Column("response_excerpt", Text),
    Index("idx_job_runs_job_id_id", "job_id", "id"),
    Index(
        "idx_job_runs_pending",
        "due_at",
        postgresql_where=text("state = 'pending'"),
        sqlite_where=text("state = 'pending'"),
    ),
    Index(
        "idx_job_runs_running",
        "owner",
        postgresql_where=text("state = 'running'"),
        sqlite_where=text("state = 'running'"),
    ),
    postgresql_partition_by="RANGE (ledger_at)",
)

job_spans = Table(
    "job_spans",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("job_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("from", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),
    Column("count", BigInteger),
    Column("reason", Text, nullable=False),
    Index("idx_job_spans_job_id_from", "job_id", "from"),
    Index(
        "uq_job_spans_open",
        "job_id",
        unique=True,
        postgresql_where=text("until IS NULL"),
        sqlite_where=text("until IS NULL"),
    ),
)

job_versions = Table(
    "job_versions",
    metadata,
    Column("job_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("effective_from", UtcDateTime, nullable=False),
    Column("effective_until", UtcDateTime),
    Column("definition", json_column(), nullable=False),
)

replicas = Table(
    "replicas",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("hostname", String(255), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("heartbeat", UtcDateTime, nullable=False),
    Column("dead", Boolean, nullable=False, server_default=false()),
)

scheduler_switch = Table(
    "scheduler_switch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("changed_at", UtcDateTime, nullable=False),
)
