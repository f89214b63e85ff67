"""Audits: how often each job was due in each hour, by the versions of its schedule."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.db.types import UtcDateTime

revision = "20261124_audits"
down_revision = "20261124_replicas"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "due_counts",
        sa.Column("hour", UtcDateTime, nullable=False),
        sa.Column("job_id", sa.Uuid, nullable=False),
        sa.Column("due", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("hour", "job_id", name="pk_due_counts"),
    )
    op.create_index("idx_due_counts_job_id_hour", "due_counts", ["job_id", "hour"])
    op.create_table(
        "audits",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("counted_from", UtcDateTime, nullable=False),
        sa.Column("counted_until", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audits"),
    )


def downgrade() -> None:
    op.drop_table("audits")
    op.drop_table("due_counts")
