"""Backfills: past occurrences that a person wants run, and the runs that they made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.db.types import UtcDateTime

revision = "20261124_backfills"
down_revision = "20261124_delays"
branch_labels = None
depends_on = None

INDEX = "idx_job_runs_backfill_id"
_ENDED = ("reason", "finished_at", "waiting_for")


def upgrade() -> None:
    op.add_column("job_runs", sa.Column("backfill_id", sa.Uuid))
    condition = sa.text("backfill_id IS NOT NULL")
    op.create_index(INDEX, "job_runs", ["backfill_id"], postgresql_where=condition, sqlite_where=condition)
    op.create_table(
        "backfills",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("job_id", sa.Uuid, nullable=False),
        sa.Column("job_name", sa.String(255), nullable=False),
        sa.Column("job_version", sa.Integer, nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.Column("max", sa.Integer, nullable=False),
        sa.Column("concurrency", sa.Integer, nullable=False),
        sa.Column("only_missing", sa.Boolean, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("left_out", sa.BigInteger, nullable=False),
        sa.Column("next_since", UtcDateTime),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("canceled_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_backfills"),
    )
    op.create_index("idx_backfills_job_id_id", "backfills", ["job_id", "id"])
    op.create_index("idx_backfills_job_name_id", "backfills", ["job_name", "id"])


def downgrade() -> None:
    """The release before knows no concurrency of theirs: what was never called ends, what has begun goes on."""
    run = sa.table("job_runs", *map(sa.column, ("trigger", "state", "attempt", "due_at", *_ENDED)))
    canceled = {"state": "canceled", "reason": "backfill canceled", "finished_at": run.c.due_at, "waiting_for": None}
    made = run.c.trigger == "backfill"
    op.execute(run.update().where(made, run.c.state == "pending", run.c.attempt == 0).values(canceled))
    op.execute(run.update().where(made).values(trigger="manual"))
    op.drop_table("backfills")
    op.drop_index(INDEX, "job_runs")
    with op.batch_alter_table("job_runs") as batch:
        batch.drop_column("backfill_id")
