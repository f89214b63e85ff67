"""Secrets, encrypted, and which jobs carry which."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.db.types import UtcDateTime

revision = "20261130_secrets"
down_revision = "20261129_api_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "secrets",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_secrets"),
        sa.UniqueConstraint("name", name="uq_secrets_name"),
    )
    op.create_table(
        "job_secrets",
        sa.Column("job_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("secret", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "secret", name="pk_job_secrets"),
    )
    op.create_index("idx_job_secrets_secret", "job_secrets", ["secret"])


def downgrade() -> None:
    op.drop_table("job_secrets")
    op.drop_table("secrets")
