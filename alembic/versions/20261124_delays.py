"""What last kept a run from its start, runs that stand for an instant other than their own, and who is alive."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.db.partial import ELSEWHERE, create_partial_index, drop_partial_index

revision = "20261124_delays"
down_revision = "20261124_histories"
branch_labels = None
depends_on = None

ALIVE = "idx_replicas_alive"


def upgrade() -> None:
    op.add_column("job_runs", sa.Column("delayed_by", sa.String(300)))
    create_partial_index(ELSEWHERE, "ledger_at <> scheduled_for")
    alive = sa.text("NOT dead")
    op.create_index(ALIVE, "replicas", ["id"], postgresql_where=alive, sqlite_where=alive)


def downgrade() -> None:
    op.drop_index(ALIVE, "replicas")
    drop_partial_index(ELSEWHERE)
    with op.batch_alter_table("job_runs") as batch:
        batch.drop_column("delayed_by")
