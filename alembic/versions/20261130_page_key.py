"""The key by which cursors are signed; who starts first makes it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261130_page_key"
down_revision = "20261130_secrets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cronledger_schema", sa.Column("page_key", sa.String(64)))


def downgrade() -> None:
    with op.batch_alter_table("cronledger_schema") as batch:
        batch.drop_column("page_key")
