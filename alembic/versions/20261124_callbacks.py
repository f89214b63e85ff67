"""Callbacks: runs whose target answered 202, and says later what became of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.db.partial import CALLBACK, create_partial_index, drop_partial_index
from app.db.types import UtcDateTime

revision = "20261124_callbacks"
down_revision = "20261124_calendars"
branch_labels = None
depends_on = None

COLUMNS = ("called_at", "callback_token", "callback_seconds", "callback_status")


def upgrade() -> None:
    op.add_column("job_runs", sa.Column("called_at", UtcDateTime))
    op.add_column("job_runs", sa.Column("callback_token", sa.String(64)))
    op.add_column("job_runs", sa.Column("callback_seconds", sa.Float))
    op.add_column("job_runs", sa.Column("callback_status", sa.String(16)))
    create_partial_index(CALLBACK, "state = 'waiting'")


def downgrade() -> None:
    """The release before knows no waiting: such runs are called again, when their time is up."""
    op.execute("UPDATE job_runs SET state = 'pending', owner = NULL WHERE state = 'waiting'")
    drop_partial_index(CALLBACK)
    with op.batch_alter_table("job_runs") as batch:
        for column in COLUMNS:
            batch.drop_column(column)
