"""The tables of what the work leaves behind: replicas, their attempts, and the events of runs and jobs."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text, Uuid, false, text

from app.db.tables import metadata
from app.db.types import UtcDateTime

ALIVE = "NOT dead"
"""Replicas whose lease has not ended."""

replicas = Table(
    "replicas",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("hostname", String(255), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("heartbeat", UtcDateTime, nullable=False),
    Column("dead", Boolean, nullable=False, server_default=false()),
    Column("version", String(64), nullable=False, server_default=""),
    Column("role", String(16), nullable=False, server_default="all"),
    Column("preferred", Integer, nullable=False, server_default="0"),
    Column("in_flight", Integer, nullable=False, server_default="0"),
    Column("claims", BigInteger, nullable=False, server_default="0"),
    Column("skew", Float, nullable=False, server_default="0"),
    Index("idx_replicas_alive", "id", postgresql_where=text(ALIVE), sqlite_where=text(ALIVE)),
)

job_attempts = Table(
    "job_attempts",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("ledger_at", UtcDateTime, primary_key=True),
    Column("fence", Integer, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("replica", Uuid),
    Column("outcome", String(16), nullable=False),
    Column("discarded", Boolean, nullable=False),
    Column("due_at", UtcDateTime),
    Column("began_at", UtcDateTime),
    Column("ended_at", UtcDateTime, nullable=False),
    Column("dns_seconds", Float),
    Column("connect_seconds", Float),
    Column("first_byte_seconds", Float),
    Column("status_code", Integer),
    Column("error", Text),
    Column("response_excerpt", Text),
    postgresql_partition_by="RANGE (ledger_at)",
)

events = Table(
    "events",
    metadata,
    # On PostgreSQL the key has `at` too, by which it is partitioned; the ids are of one sequence all the same.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("job_id", Uuid, nullable=False),
    Column("job_name", String(255), nullable=False),
    Column("job_version", Integer, nullable=False),
    Column("run_id", Uuid),
    Column("scheduled_for", UtcDateTime),
    Column("trigger", String(16)),
    Column("attempt", Integer),
    Column("reason", Text),
    sqlite_autoincrement=True,  # an id that came back would be taken for one that was read
    postgresql_partition_by="RANGE (at)",
)
