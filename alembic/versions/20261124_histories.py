"""Histories: when a pause was to end, and the indexes by which spans are paged and the version in force is found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.db.types import UtcDateTime

revision = "20261124_histories"
down_revision = "20261124_idempotency"
branch_labels = None
depends_on = None

_IN_FORCE = sa.text("effective_until IS NULL")


def upgrade() -> None:
    op.add_column("job_spans", sa.Column("paused_until", UtcDateTime()))
    op.create_index("idx_job_spans_job_id_id", "job_spans", ["job_id", "id"])
    op.create_index(
        "uq_job_versions_open",
        "job_versions",
        ["job_id"],
        unique=True,
        postgresql_where=_IN_FORCE,
        sqlite_where=_IN_FORCE,
    )


def downgrade() -> None:
    op.drop_index("uq_job_versions_open", "job_versions")
    op.drop_index("idx_job_spans_job_id_id", "job_spans")
    with op.batch_alter_table("job_spans") as batch:
        batch.drop_column("paused_until")
