"""The tables of the auditor: how often each job was due in each hour, and up to when that has been counted."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Uuid

from app.db.tables import metadata
from app.db.types import UtcDateTime

due_counts = Table(
    "due_counts",
    metadata,
    Column("hour", UtcDateTime, primary_key=True),
    Column("job_id", Uuid, primary_key=True),
    Column("due", Integer, nullable=False),
    Index("idx_due_counts_job_id_hour", "job_id", "hour"),
)

audits = Table(
    "audits",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("counted_from", UtcDateTime, nullable=False),
    Column("counted_until", UtcDateTime, nullable=False),
)
