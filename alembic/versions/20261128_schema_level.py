"""Which releases may run on the database: `needs` is raised by migrations that remove something."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261128_schema_level"
down_revision = "20261124_retention"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table = op.create_table(
        "cronledger_schema",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("needs", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cronledger_schema"),
    )
    op.bulk_insert(table, [{"id": 1, "needs": 1}])


def downgrade() -> None:
    op.drop_table("cronledger_schema")
