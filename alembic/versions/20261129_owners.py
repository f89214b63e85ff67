"""Indexes of what is being called: by its replica, and by the limit that it counts at."""

from __future__ import annotations

from app.db.partial import CANCELED, COUNTED, OWNED, create_partial_index, drop_partial_index

revision = "20261129_owners"
down_revision = "20261128_schema_level"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_partial_index(OWNED, "state = 'running' AND owner IS NOT NULL")
    create_partial_index(CANCELED, "cancel_reason IS NOT NULL AND state = 'running'")
    create_partial_index(COUNTED, "limit_key IS NOT NULL AND (state = 'running' OR state = 'waiting')")


def downgrade() -> None:
    drop_partial_index(COUNTED)
    drop_partial_index(CANCELED)
    drop_partial_index(OWNED)
