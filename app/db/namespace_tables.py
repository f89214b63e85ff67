"""The tables of namespaces: what each may have, and whose jobs are not those of `default`.

Rows of both stay. A name that was used is not given to another, who would find the runs of the one before.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Float, Index, Integer, String, Table, Uuid

from app.db.tables import metadata
from app.db.types import UtcDateTime

namespaces = Table(
    "namespaces",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("max_jobs", Integer),
    Column("min_interval_seconds", Float),
    Column("runs_per_day", BigInteger),
    Column("requests_per_second", Float),
    Column("counted_day", Date),
    Column("runs_made", BigInteger, nullable=False, server_default="0"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
)

job_namespaces = Table(
    "job_namespaces",
    metadata,
    Column("job_id", Uuid, primary_key=True),
    Column("namespace", String(63), nullable=False),
    Index("idx_job_namespaces_namespace", "namespace"),
)
