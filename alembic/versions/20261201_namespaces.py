"""Namespaces: jobs, keys and lines of the audit log are in one, and a job's name is unique within its own."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from app.db.event_triggers import create_event_triggers, drop_event_triggers
from app.db.types import UtcDateTime

revision = "20261201_namespaces"
down_revision = "20261130_page_key"
branch_labels = None
depends_on = None

OLD, NEW = "uq_cron_jobs_name", "uq_cron_jobs_name_namespace"
DEFAULT = "default"


def _namespace() -> sa.Column[str]:
    return sa.Column("namespace", sa.String(63), nullable=False, server_default=DEFAULT)


def upgrade() -> None:
    op.create_table(
        "namespaces",
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("max_jobs", sa.Integer),
        sa.Column("min_interval_seconds", sa.Float),
        sa.Column("runs_per_day", sa.BigInteger),
        sa.Column("requests_per_second", sa.Float),
        sa.Column("counted_day", sa.Date),
        sa.Column("runs_made", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime),
        sa.PrimaryKeyConstraint("name", name="pk_namespaces"),
    )
    _add_default()
    op.create_table(
        "job_namespaces",
        sa.Column("job_id", sa.Uuid, nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_job_namespaces"),
    )
    op.create_index("idx_job_namespaces_namespace", "job_namespaces", ["namespace"])
    for table in ("api_keys", "audit_log"):
        op.add_column(table, _namespace())
    op.create_index("idx_audit_log_namespace_id", "audit_log", ["namespace", "id"])
    if op.get_bind().dialect.name == "sqlite":
        _copy_jobs(with_namespace=True)
        return
    op.add_column("cron_jobs", _namespace())
    _create_unique(NEW, ["name", "namespace"])
    _drop_unique(OLD)


def downgrade() -> None:
    """What is in other namespaces goes, but for the ledger: to the release before, all is in `default`."""
    op.execute(
        "UPDATE job_runs SET state = 'canceled', reason = 'deleted', waiting_for = NULL, finished_at = ledger_at"
        " WHERE state = 'pending' AND job_id IN (SELECT uid FROM cron_jobs WHERE namespace <> 'default')"
    )
    op.execute("DELETE FROM cron_jobs WHERE namespace <> 'default'")
    op.execute("DELETE FROM calendars WHERE name LIKE '%:%'")
    op.execute("DELETE FROM secrets WHERE name LIKE '%:%'")
    op.execute("DELETE FROM job_secrets WHERE secret LIKE '%:%'")
    limits = sa.table("limits", sa.column("key"))
    theirs = limits.c.key.contains(":") & (limits.c.key != "cronledger:catch-up")
    op.get_bind().execute(limits.delete().where(theirs))
    if op.get_bind().dialect.name == "sqlite":
        _copy_jobs(with_namespace=False)
    else:
        _create_unique(OLD, ["name"])
        _drop_unique(NEW)
        op.drop_column("cron_jobs", "namespace")
    op.drop_index("idx_audit_log_namespace_id", "audit_log")
    for table in ("audit_log", "api_keys"):
        op.execute(f"DELETE FROM {table} WHERE namespace <> 'default'")  # noqa: S608  # both are ours
        op.drop_column(table, "namespace")
    op.drop_table("job_namespaces")
    op.drop_table("namespaces")


def _add_default() -> None:
    """A step that broke off on MariaDB is done again."""
    bind, names = op.get_bind(), sa.table("namespaces", sa.column("name"))
    if bind.scalar(sa.select(names.c.name)) is None:
        now = datetime.now(UTC)
        times = [sa.column(name, UtcDateTime) for name in ("created_at", "updated_at")]
        made = sa.table("namespaces", sa.column("name"), *times)
        bind.execute(made.insert().values(name=DEFAULT, created_at=now, updated_at=now))


def _create_unique(name: str, columns: list[str]) -> None:
    if op.get_bind().dialect.name == "mariadb":  # whose constraints don't say IF NOT EXISTS, and are indexes
        op.create_index(name, "cron_jobs", columns, unique=True)
    else:
        op.create_unique_constraint(name, "cron_jobs", columns)


def _drop_unique(name: str) -> None:
    if op.get_bind().dialect.name == "mariadb":
        op.drop_index(name, "cron_jobs")
    else:
        op.drop_constraint(name, "cron_jobs", type_="unique")


def _copy_jobs(*, with_namespace: bool) -> None:
    """SQLite can't drop a constraint. The copy loses the triggers, and forgets the ids of jobs that are gone."""
    bind = op.get_bind()
    last = bind.scalar(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'cron_jobs'"))
    drop_event_triggers(bind)
    with op.batch_alter_table("cron_jobs", table_kwargs={"sqlite_autoincrement": True}) as batch:
        if with_namespace:
            batch.add_column(_namespace())
        batch.drop_constraint(OLD if with_namespace else NEW, type_="unique")
        batch.create_unique_constraint(*((NEW, ["name", "namespace"]) if with_namespace else (OLD, ["name"])))
        if not with_namespace:
            batch.drop_column("namespace")
    create_event_triggers(bind)
    if last is not None:
        bind.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = 'cron_jobs'"))
        bind.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES ('cron_jobs', :last)"), {"last": last})
