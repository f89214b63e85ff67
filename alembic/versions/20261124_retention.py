"""Retention: up to when the ledger's rows were removed, of each job and of all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.db.types import UtcDateTime

revision = "20261124_retention"
down_revision = "20261124_events"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pruned",
        sa.Column("job_id", sa.Uuid, nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_pruned"),
    )


def downgrade() -> None:
    """`missed` and `lost` with the reason `restored` are ends that the release before can read."""
    op.drop_table("pruned")
