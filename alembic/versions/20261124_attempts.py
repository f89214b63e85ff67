"""Attempts: each call of a run, with its times."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.db.types import UtcDateTime

revision = "20261124_attempts"
down_revision = "20261124_backfills"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_attempts",
        sa.Column("run_id", sa.Uuid, nullable=False),
        sa.Column("ledger_at", UtcDateTime, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("replica", sa.Uuid),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("discarded", sa.Boolean, nullable=False),
        sa.Column("due_at", UtcDateTime),
        sa.Column("began_at", UtcDateTime),
        sa.Column("ended_at", UtcDateTime, nullable=False),
        sa.Column("dns_seconds", sa.Float),
        sa.Column("connect_seconds", sa.Float),
        sa.Column("first_byte_seconds", sa.Float),
        sa.Column("status_code", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("response_excerpt", sa.Text),
        sa.PrimaryKeyConstraint("run_id", "ledger_at", "fence", name="pk_job_attempts"),
        postgresql_partition_by="RANGE (ledger_at)",
    )


def downgrade() -> None:
    op.drop_table("job_attempts")
