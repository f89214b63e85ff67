"""The tables of secrets: their values, encrypted, and which jobs carry which."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text, UniqueConstraint

from app.db.tables import metadata
from app.db.types import UtcDateTime

secrets = Table(
    "secrets",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(255), nullable=False),
    Column("token", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("name"),
)

job_secrets = Table(
    "job_secrets",
    metadata,
    Column("job_id", Integer, primary_key=True, autoincrement=False),
    Column("secret", String(255), primary_key=True),
    Index("idx_job_secrets_secret", "secret"),
)
