"""Notices: runs that tell of their job, and what they call; and whether a job is failing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.db.types import json_column

revision = "20261124_notices"
down_revision = "20261124_callbacks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is failing by now is not told once more."""
    op.add_column("cron_jobs", sa.Column("failing", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute("UPDATE cron_jobs SET failing = true WHERE failures_in_a_row > 0")
    op.add_column("job_runs", sa.Column("host", sa.String(280)))
    op.add_column("job_runs", sa.Column("call", json_column()))


def downgrade() -> None:
    """The release before can't read notices, and would call their jobs instead."""
    runs = sa.table("job_runs", sa.column("trigger"))
    op.execute(runs.delete().where(runs.c.trigger == "notify"))
    with op.batch_alter_table("job_runs") as batch:
        batch.drop_column("call")
        batch.drop_column("host")
    with op.batch_alter_table("cron_jobs") as batch:
        batch.drop_column("failing")
