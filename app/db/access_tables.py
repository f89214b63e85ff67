"""The tables of who may, and who did.

Rows of `api_keys` stay: that there has been a key says that one is needed. Those of `audit_log` are only added.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint, Uuid

from app.db.tables import metadata
from app.db.types import UtcDateTime, json_column

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("hint", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("scopes", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Column("namespace", String(63), nullable=False, server_default="default"),
    UniqueConstraint("digest"),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor_id", Text),
    Column("actor", Text, nullable=False),
    Column("address", String(64)),
    Column("request_id", String(64)),
    Column("action", String(32), nullable=False),
    Column("subject", Text, nullable=False),
    Column("subject_id", String(36)),
    Column("before", json_column()),
    Column("after", json_column()),
    Column("namespace", String(63), nullable=False, server_default="default"),
    Index("idx_audit_log_at", "at"),
    Index("idx_audit_log_namespace_id", "namespace", "id"),
    sqlite_autoincrement=True,  # an id that has gone does not come again
)
