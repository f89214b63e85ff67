"""Keys of requests that are carried out once, with their answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.db.types import UtcDateTime, json_column

revision = "20261124_idempotency"
down_revision = "20261124_notices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("carried_out", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("status", sa.Integer),
        sa.Column("headers", json_column()),
        sa.Column("body", sa.Text),
        sa.PrimaryKeyConstraint("key", name="pk_idempotency_keys"),
    )
    op.create_index("idx_idempotency_keys_begun_at", "idempotency_keys", ["begun_at"])


def downgrade() -> None:
    op.drop_table("idempotency_keys")
