"""What last kept a run from its start, runs that stand for an instant other than their own, and who is alive."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261124_delays"
down_revision = "20261124_histories"
branch_labels = None
depends_on = None

OUT_OF_PLACE = "idx_job_runs_out_of_place"
ALIVE = "idx_replicas_alive"


def upgrade() -> None:
    op.add_column("job_runs", sa.Column("delayed_by", sa.String(300)))
    elsewhere, alive = sa.text("ledger_at <> scheduled_for"), sa.text("NOT dead")
    columns = ["job_id", "scheduled_for"]
    op.create_index(OUT_OF_PLACE, "job_runs", columns, postgresql_where=elsewhere, sqlite_where=elsewhere)
    op.create_index(ALIVE, "replicas", ["id"], postgresql_where=alive, sqlite_where=alive)


def downgrade() -> None:
    op.drop_index(ALIVE, "replicas")
    op.drop_index(OUT_OF_PLACE, "job_runs")
    with op.batch_alter_table("job_runs") as batch:
        batch.drop_column("delayed_by")
