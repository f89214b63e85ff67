"""Replicas: what each says of itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261124_replicas"
down_revision = "20261124_attempts"
branch_labels = None
depends_on = None

COLUMNS = {
    "version": (sa.String(64), ""),
    "role": (sa.String(16), "all"),
    "preferred": (sa.Integer, "0"),
    "in_flight": (sa.Integer, "0"),
    "claims": (sa.BigInteger, "0"),
    "skew": (sa.Float, "0"),
}


def upgrade() -> None:
    for name, (kind, default) in COLUMNS.items():
        op.add_column("replicas", sa.Column(name, kind, nullable=False, server_default=default))


def downgrade() -> None:
    with op.batch_alter_table("replicas") as batch:
        for name in COLUMNS:
            batch.drop_column(name)
