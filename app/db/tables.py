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

FREE = "state = 'pending' AND waiting_for IS NULL"
"""Pending runs that nothing holds up. SQLite uses a partial index only where a query has its condition word by word."""

HELD_UP = "waiting_for IS NOT NULL"
"""Pending runs that wait for other runs to end, `waiting_for` says for which."""

ACTIVE = "state = 'running' OR state = 'waiting' OR (state = 'pending' AND attempt > 0)"
"""Runs that have begun and not ended."""

RUNNING = "state = 'running' AND owner IS NOT NULL"
"""Runs that are being called, as far as the ledger knows."""

CANCELING = "cancel_reason IS NOT NULL AND state = 'running'"
"""Those of them that are to be cut. Few: what asks for them each second must not depend on how many are called."""

LIMITED = "limit_key IS NOT NULL AND (state = 'running' OR state = 'waiting')"
"""Those that count at a limit that jobs share."""

TO_EXPIRE = "state = 'pending' AND deadline_at IS NOT NULL"
"""Pending runs that fail when their deadline comes."""

CALLED_BACK = "state = 'waiting'"
"""Runs whose target answered 202, and is to call back."""

OUT_OF_PLACE = "ledger_at <> scheduled_for"
"""Runs that stand elsewhere in the ledger than the instant they are for: what was repeated by hand."""

TIMED = "paused_until IS NOT NULL"
"""Jobs that are paused, and go on by themselves."""

FAILING = "failures_in_a_row > 0"
"""Jobs whose last run that ended did not succeed."""

OPEN = "until IS NULL"
"""Spans that have not ended: one a job at most."""

BACKFILLED = "backfill_id IS NOT NULL"
"""Runs that a backfill made. All of one backfill stand at the same instant of the ledger."""

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
    Column("policies", json_column(), nullable=False, server_default="{}"),
    Column("dst_gap", String(5), nullable=False, server_default="after"),
    Column("dst_overlap", String(5), nullable=False, server_default="first"),
    Column("completed", Boolean, nullable=False, server_default=false()),
    Column("runs_made", BigInteger, nullable=False, server_default="0"),
    Column("failures_in_a_row", Integer, nullable=False, server_default="0"),
    Column("failing", Boolean, nullable=False, server_default=false()),
    Column("pause_note", Text),
    Column("paused_until", UtcDateTime),
    Column("namespace", String(63), nullable=False, server_default="default"),
    UniqueConstraint("name", "namespace"),  # the name first, for programs that ask for it alone
    UniqueConstraint("uid"),
    Index(
        "idx_cron_jobs_enabled", "enabled", postgresql_where=text("enabled = true"), sqlite_where=text("enabled = 1")
    ),
    Index("idx_cron_jobs_last_run", "last_run"),
    Index("idx_cron_jobs_updated_at", "updated_at"),
    Index(
        "idx_cron_jobs_failures_in_a_row",
        "failures_in_a_row",
        postgresql_where=text(FAILING),
        sqlite_where=text(FAILING),
    ),
    Index("idx_cron_jobs_paused_until", "paused_until", postgresql_where=text(TIMED), sqlite_where=text(TIMED)),
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
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("owner", Uuid),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("status_code", Integer),
    Column("error", Text),
    Column("response_excerpt", Text),
    Column("deadline_at", UtcDateTime),
    Column("waiting_for", String(300)),
    Column("limit_key", String(255)),
    Column("cancel_reason", Text),
    Column("retry_of", Uuid),
    Column("called_at", UtcDateTime),
    Column("callback_token", String(64)),
    Column("callback_seconds", Float),
    Column("callback_status", String(16)),
    Column("host", String(280)),
    Column("call", json_column()),
    Column("delayed_by", String(300)),
    Column("backfill_id", Uuid),
    Index("idx_job_runs_job_id_id", "job_id", "id"),
    Index("idx_job_runs_pending", "due_at", postgresql_where=text(FREE), sqlite_where=text(FREE)),
    Index("idx_job_runs_waiting", "waiting_for", "due_at", postgresql_where=text(HELD_UP), sqlite_where=text(HELD_UP)),
    Index("idx_job_runs_active", "job_id", postgresql_where=text(ACTIVE), sqlite_where=text(ACTIVE)),
    Index("idx_job_runs_owner", "owner", postgresql_where=text(RUNNING), sqlite_where=text(RUNNING)),
    Index("idx_job_runs_canceling", "owner", postgresql_where=text(CANCELING), sqlite_where=text(CANCELING)),
    Index("idx_job_runs_limit_key", "limit_key", postgresql_where=text(LIMITED), sqlite_where=text(LIMITED)),
    Index("idx_job_runs_deadline", "deadline_at", postgresql_where=text(TO_EXPIRE), sqlite_where=text(TO_EXPIRE)),
    Index("idx_job_runs_callback", "due_at", postgresql_where=text(CALLED_BACK), sqlite_where=text(CALLED_BACK)),
    Index("idx_job_runs_backfill_id", "backfill_id", postgresql_where=text(BACKFILLED), sqlite_where=text(BACKFILLED)),
    Index(
        "idx_job_runs_out_of_place",
        "job_id",
        "scheduled_for",
        postgresql_where=text(OUT_OF_PLACE),
        sqlite_where=text(OUT_OF_PLACE),
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
    Column("note", Text),
    Column("paused_until", UtcDateTime),
    Index("idx_job_spans_job_id_from", "job_id", "from"),
    Index("idx_job_spans_job_id_id", "job_id", "id"),
    Index(
        "uq_job_spans_open",
        "job_id",
        unique=True,
        postgresql_where=text(OPEN),
        sqlite_where=text(OPEN),
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
    Index(
        "uq_job_versions_open",
        "job_id",
        unique=True,
        postgresql_where=text("effective_until IS NULL"),
        sqlite_where=text("effective_until IS NULL"),
    ),
)

limits = Table(
    "limits",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("max_concurrency", Integer),
    Column("rate_per_second", Float),
    Column("tokens", Float, nullable=False, server_default="0"),
    Column("refilled_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

backfills = Table(
    "backfills",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job_id", Uuid, nullable=False),
    Column("job_name", String(255), nullable=False),
    Column("job_version", Integer, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("max", Integer, nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("only_missing", Boolean, nullable=False),
    Column("total", Integer, nullable=False),
    Column("left_out", BigInteger, nullable=False),
    Column("next_since", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("canceled_at", UtcDateTime),
    Index("idx_backfills_job_id_id", "job_id", "id"),
    Index("idx_backfills_job_name_id", "job_name", "id"),
)

calendars = Table(
    "calendars",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(255), nullable=False),
    Column("timezone", String(64), nullable=False, server_default="UTC"),
    Column("description", Text, nullable=False, server_default=""),
    Column("entries", json_column(), nullable=False, server_default="[]"),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("name"),
    sqlite_autoincrement=True,  # replicas keep what they have read by id and version
)

pruned = Table(
    "pruned",
    metadata,
    Column("job_id", Uuid, primary_key=True),
    Column("until", UtcDateTime, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("carried_out", Boolean, nullable=False, server_default=false()),
    Column("status", Integer),
    Column("headers", json_column()),
    Column("body", Text),
    Index("idx_idempotency_keys_begun_at", "begun_at"),
)

scheduler_switch = Table(
    "scheduler_switch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("changed_at", UtcDateTime, nullable=False),
)
