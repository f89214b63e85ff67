"""Histories: when a pause was to end, and the indexes by which spans are paged and the version in force is found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.db.partial import OPEN_VERSION, create_partial_index, drop_partial_index
from app.db.types import UtcDateTime

revision = "20261124_histories"
down_revision = "20261124_idempotency"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_spans", sa.Column("paused_until", UtcDateTime()))
    op.create_index("idx_job_spans_job_id_id", "job_spans", ["job_id", "id"])
    create_partial_index(OPEN_VERSION, "effective_until IS NULL")


def downgrade() -> None:
    drop_partial_index(OPEN_VERSION)
    op.drop_index("idx_job_spans_job_id_id", "job_spans")
    with op.batch_alter_table("job_spans") as batch:
        batch.drop_column("paused_until")
