"""Events: what happened to runs and jobs, written by triggers."""

from __future__ import annotations

from datetime import UTC, timedelta

import sqlalchemy as sa
from alembic import op

from app.db.event_triggers import create_event_triggers, drop_event_triggers
from app.db.types import UtcDateTime

revision = "20261124_events"
down_revision = "20261124_audits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is partitioned by a column has that column in its key."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    key = ("id", "at") if postgresql else ("id",)
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("job_id", sa.Uuid, nullable=False),
        sa.Column("job_name", sa.String(255), nullable=False),
        sa.Column("job_version", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Uuid),
        sa.Column("scheduled_for", UtcDateTime),
        sa.Column("trigger", sa.String(16)),
        sa.Column("attempt", sa.Integer),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint(*key, name="pk_events"),
        sqlite_autoincrement=True,
        postgresql_partition_by="RANGE (at)",
    )
    if postgresql:
        _make_partitions()
    create_event_triggers(op.get_bind())


def _make_partitions() -> None:
    """For what later migrations change in the same transaction; the service makes those of the days ahead."""
    today = op.get_bind().scalar(sa.text("SELECT clock_timestamp()")).astimezone(UTC).date()
    for day in (today, today + timedelta(days=1)):
        bounds = f"FROM ('{day} 00:00:00+00') TO ('{day + timedelta(days=1)} 00:00:00+00')"
        op.execute(f"CREATE TABLE events_{day:%Y%m%d} PARTITION OF events FOR VALUES {bounds}")


def downgrade() -> None:
    drop_event_triggers(op.get_bind())
    op.drop_table("events")
