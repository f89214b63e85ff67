"""The migrations of releases to come, to be run on a database of this one: what they add, and what they take away."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from alembic import command
from alembic.config import Config

from app.db.migrate import SCRIPTS, scripts
from app.db.schema_level import LEVEL

EXPAND, CONTRACT = "next_release", "release_after_next"

_HEADER = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = {revision!r}, {after!r}, None, None

def upgrade() -> None:
"""
_EXPAND = """
    op.add_column("cron_jobs", sa.Column("colour", sa.String(16), nullable=False, server_default="none"))
    op.add_column("job_runs", sa.Column("colour", sa.String(16)))
    op.add_column("replicas", sa.Column("colour", sa.String(16), nullable=False, server_default="none"))
    op.create_index("idx_job_runs_colour", "job_runs", ["colour"])
    op.create_table("colours", sa.Column("name", sa.String(16), primary_key=True))
"""
_CONTRACT = f"""
    op.execute("UPDATE cronledger_schema SET needs = {LEVEL + 1}")
"""  # noqa: S608  # a number of ours


class NextRelease:
    """Its migrations are a copy of ours with two more, in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._scripts = folder / "alembic"
        shutil.copytree(SCRIPTS, self._scripts, ignore=shutil.ignore_patterns("__pycache__"))
        self._add(EXPAND, str(scripts().get_current_head()), _EXPAND)
        self._add(CONTRACT, EXPAND, _CONTRACT)

    async def migrate(self, url: str, revision: str) -> None:
        config = Config()
        config.set_main_option("script_location", str(self._scripts))
        config.attributes["url"] = url
        await asyncio.to_thread(command.upgrade, config, revision)

    def _add(self, revision: str, after: str, body: str) -> None:
        text = _HEADER.format(revision=revision, after=after) + body
        (self._scripts / "versions" / f"{revision}.py").write_text(text)
