"""Policies: what a job's owner decides about its occurrences, what a run waits for, and limits that jobs share."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from app.db.partial import BEGUN, DEADLINE, PENDING, create_partial_index, drop_partial_index
from app.db.types import UtcDateTime, json_column

revision = "20261124_policies"
down_revision = "20261124_ledger"
branch_labels = None
depends_on = None

FAILING = "idx_cron_jobs_failures_in_a_row"
TIMED = "idx_cron_jobs_paused_until"
WAITING = "idx_job_runs_waiting"
INDEXES = {
    PENDING: "state = 'pending' AND waiting_for IS NULL",
    BEGUN: "state = 'running' OR state = 'waiting' OR (state = 'pending' AND attempt > 0)",
    DEADLINE: "state = 'pending' AND deadline_at IS NOT NULL",
}


def _job_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("policies", json_column(), nullable=False, server_default="{}"),
        sa.Column("dst_gap", sa.String(5), nullable=False, server_default="after"),
        sa.Column("dst_overlap", sa.String(5), nullable=False, server_default="first"),
        sa.Column("completed", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("runs_made", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("failures_in_a_row", sa.Integer, nullable=False, server_default="0"),
        sa.Column("pause_note", sa.Text),
        sa.Column("paused_until", UtcDateTime),
    ]


def _run_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("deadline_at", UtcDateTime),
        sa.Column("waiting_for", sa.String(300)),
        sa.Column("limit_key", sa.String(255)),
        sa.Column("cancel_reason", sa.Text),
        sa.Column("retry_of", sa.Uuid),
    ]


def upgrade() -> None:
    for column in _job_columns():
        op.add_column("cron_jobs", column)
    for column in _run_columns():
        op.add_column("job_runs", column)
    op.add_column("job_spans", sa.Column("note", sa.Text))
    # What waits for nothing may have run its course: the start that follows computes it anew, and says so.
    op.execute("UPDATE cron_jobs SET computed_under = '' WHERE enabled AND next_run IS NULL AND problem IS NULL")
    for name in ("pending", "running"):
        op.drop_index(f"idx_job_runs_{name}", "job_runs")
    for index, condition in INDEXES.items():
        create_partial_index(index, condition)
    _index("waiting", ["waiting_for", "due_at"], "waiting_for IS NOT NULL")
    failing = sa.text("failures_in_a_row > 0")
    op.create_index(FAILING, "cron_jobs", ["failures_in_a_row"], postgresql_where=failing, sqlite_where=failing)
    timed = sa.text("paused_until IS NOT NULL")
    op.create_index(TIMED, "cron_jobs", ["paused_until"], postgresql_where=timed, sqlite_where=timed)
    op.create_table(
        "limits",
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("max_concurrency", sa.Integer),
        sa.Column("rate_per_second", sa.Float),
        sa.Column("tokens", sa.Float, nullable=False, server_default="0"),
        sa.Column("refilled_at", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_limits"),
    )


def downgrade() -> None:
    """Runs that wait for something are free again, as the release before knows no waiting."""
    op.drop_table("limits")
    for index in INDEXES:
        drop_partial_index(index)
    op.drop_index(WAITING, "job_runs")
    op.drop_index(FAILING, "cron_jobs")
    op.drop_index(TIMED, "cron_jobs")
    with op.batch_alter_table("job_spans") as batch:
        batch.drop_column("note")
    for table, columns in (("job_runs", _run_columns()), ("cron_jobs", _job_columns())):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column.name)
    _index("pending", ["due_at"], "state = 'pending'")
    _index("running", ["owner"], "state = 'running'")


def _index(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(f"idx_job_runs_{name}", "job_runs", columns, postgresql_where=condition, sqlite_where=condition)
