"""The ledger: cron_jobs, made new or adopted from go-cron's guide, its runs, spans and versions, and the replicas."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from uuid_utils.compat import uuid7

from app.db.partial import OPEN_SPAN, create_partial_index
from app.db.types import UtcDateTime, json_column

revision = "20261124_ledger"
down_revision = None
branch_labels = None
depends_on = None

TIMES = ("last_run", "last_success", "created_at", "updated_at")
SEED = (
    "id",
    "name",
    "schedule",
    "endpoint",
    "last_success",
    "last_run",
    "last_error",
    "enabled",
    "created_at",
    "updated_at",
)
POSTGRESQL, MARIADB = "postgresql", "mariadb"
DEFAULTS = {"enabled": "true", "created_at": "now()", "updated_at": "now()"}
GUIDES_INDEXES = {
    ("name", True): "uq_cron_jobs_name",
    ("enabled", False): "idx_cron_jobs_enabled",
    ("last_run", False): "idx_cron_jobs_last_run",
}
WRITTEN = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)(?:[ T](?P<clock>\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(?P<offset>Z|[+-]\d\d:?\d\d)?)?"
)


def upgrade() -> None:
    if not sa.inspect(op.get_bind()).has_table("cron_jobs"):
        _create_jobs()
    elif op.get_bind().dialect.name == POSTGRESQL:
        _adopt_in_place()
    elif op.get_bind().dialect.name == MARIADB:
        _adopt_on_mariadb()
    else:
        _adopt_by_copy()
    _create_runs()
    _create_spans_and_versions()
    _create_replicas()


def downgrade() -> None:
    """Back to the guide's table, with its rows; what it has no column for is gone."""
    for table in ("scheduler_switch", "replicas", "job_versions", "job_spans", "job_runs"):
        op.drop_table(table)
    op.drop_index("idx_cron_jobs_updated_at", "cron_jobs")
    with op.batch_alter_table("cron_jobs") as batch:
        batch.drop_constraint("uq_cron_jobs_uid", type_="unique")
        for column in _new_columns():
            batch.drop_column(column.name)


def _seed_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("schedule", sa.String(1024), nullable=False),
        sa.Column("endpoint", sa.String(2048)),
        sa.Column("last_run", UtcDateTime),
        sa.Column("last_success", UtcDateTime),
        sa.Column("last_error", sa.Text),
        sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("created_at", UtcDateTime, nullable=False, server_default=sa.func.now()),
        sa.Column("updated_at", UtcDateTime, nullable=False, server_default=sa.func.now()),
    ]


def _new_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("uid", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("timezone", sa.String(64), nullable=False, server_default="UTC"),
        sa.Column("day_rule", sa.String(3), nullable=False, server_default="or"),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("labels", json_column(), nullable=False, server_default="{}"),
        sa.Column("method", sa.String(16), nullable=False, server_default="POST"),
        sa.Column("headers", json_column(), nullable=False, server_default="{}"),
        sa.Column("body", json_column()),
        sa.Column("timeout_seconds", sa.Float, nullable=False, server_default="30"),
        sa.Column("starts_at", UtcDateTime),
        sa.Column("ends_at", UtcDateTime),
        sa.Column("host", sa.String(280), nullable=False, server_default=""),
        sa.Column("anchor", UtcDateTime, nullable=False),
        sa.Column("next_run", UtcDateTime),
        sa.Column("problem", sa.Text),
        sa.Column("computed_under", sa.String(64), nullable=False, server_default=""),
        sa.Column("last_success_run", sa.Uuid),
    ]


def _create_jobs() -> sa.Table:
    table = op.create_table(
        "cron_jobs",
        *_seed_columns(),
        *_new_columns(),
        sa.PrimaryKeyConstraint("id", name="pk_cron_jobs"),
        sa.UniqueConstraint("name", name="uq_cron_jobs_name"),
        sa.UniqueConstraint("uid", name="uq_cron_jobs_uid"),
        sqlite_autoincrement=True,
    )
    _index_jobs()
    return table


def _index_jobs() -> None:
    """The first two are the guide's, and may be there already."""
    op.create_index(
        "idx_cron_jobs_enabled",
        "cron_jobs",
        ["enabled"],
        postgresql_where=sa.text("enabled = true"),
        sqlite_where=sa.text("enabled = 1"),
        if_not_exists=True,
    )
    op.create_index("idx_cron_jobs_last_run", "cron_jobs", ["last_run"], if_not_exists=True)
    op.create_index("idx_cron_jobs_updated_at", "cron_jobs", ["updated_at"], if_not_exists=True)


def _adopt_in_place() -> None:
    """PostgreSQL: the table stays, with its grants, views and whatever columns somebody added."""
    bind = op.get_bind()
    for constraint in sa.inspect(bind).get_unique_constraints("cron_jobs"):
        if constraint["column_names"] == ["name"] and constraint["name"] != "uq_cron_jobs_name":
            op.execute(f'ALTER TABLE cron_jobs RENAME CONSTRAINT "{constraint["name"]}" TO uq_cron_jobs_name')
    op.alter_column("cron_jobs", "schedule", type_=sa.String(1024))
    op.alter_column("cron_jobs", "endpoint", type_=sa.String(2048))
    _clear()
    for column in DEFAULTS:
        op.alter_column("cron_jobs", column, nullable=False)
    for column in _new_columns():
        nullable, column.nullable = column.nullable, True
        op.add_column("cron_jobs", column)
        if not nullable and column.server_default is not None:
            op.alter_column("cron_jobs", column.name, nullable=False)
    _fill(bind, "date_trunc('second', created_at)")
    op.alter_column("cron_jobs", "uid", nullable=False)
    op.alter_column("cron_jobs", "anchor", nullable=False)
    op.create_unique_constraint("uq_cron_jobs_uid", "cron_jobs", ["uid"])
    _index_jobs()


def _adopt_on_mariadb() -> None:
    """In place too. Each statement commits by itself, and may come again; times without a zone are UTC."""
    bind = op.get_bind()
    op.execute("ALTER TABLE cron_jobs ENGINE=InnoDB, CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
    for index in sa.inspect(bind).get_indexes("cron_jobs"):
        ours = GUIDES_INDEXES.get((*index["column_names"], index["unique"]))
        if ours not in {None, index["name"]}:
            op.execute(f"ALTER TABLE cron_jobs RENAME INDEX `{index['name']}` TO {ours}")
    # Without its ON UPDATE: what writes of a job is no change of it.
    _modify(*(f"{column} DATETIME(6)" for column in TIMES), "last_error LONGTEXT")
    _clear()
    now = "DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"
    _modify("schedule VARCHAR(1024) NOT NULL", "endpoint VARCHAR(2048)", "enabled BOOLEAN NOT NULL DEFAULT true")
    _modify(f"created_at {now}", f"updated_at {now}")
    for column in _new_columns():
        column.nullable = column.nullable or column.server_default is None
        op.add_column("cron_jobs", column)
    _fill(bind, "CAST(created_at AS DATETIME)")
    _modify("uid VARCHAR(32) NOT NULL", "anchor DATETIME(6) NOT NULL")
    op.create_index("uq_cron_jobs_uid", "cron_jobs", ["uid"], unique=True)
    _index_jobs()


def _modify(*columns: str) -> None:
    op.execute(f"ALTER TABLE cron_jobs {', '.join(f'MODIFY {column}' for column in columns)}")


def _clear() -> None:
    """What has no time, no error or no state says so. Go's zero time, in the year 1, is none."""
    for column in TIMES:
        op.execute(f"UPDATE cron_jobs SET {column} = NULL WHERE {column} < '0002-01-01'")  # noqa: S608  ours
    op.execute("UPDATE cron_jobs SET last_error = NULL WHERE last_error = ''")
    for column, default in DEFAULTS.items():
        op.execute(f"UPDATE cron_jobs SET {column} = {default} WHERE {column} IS NULL")  # noqa: S608  # both are ours


def _fill(bind: sa.Connection, created_second: str) -> None:
    jobs = sa.table("cron_jobs", sa.column("id"), sa.column("uid", sa.Uuid), sa.column("anchor"), sa.column("day_rule"))
    ids = list(bind.scalars(sa.select(jobs.c.id).where(jobs.c.uid.is_(None)).order_by(jobs.c.id)))
    if ids:
        fill = jobs.update().where(jobs.c.id == sa.bindparam("job")).values(uid=sa.bindparam("new_uid"))
        bind.execute(fill, [{"job": job, "new_uid": uuid7()} for job in ids])
    op.execute(f"UPDATE cron_jobs SET anchor = {created_second}, day_rule = 'and' WHERE anchor IS NULL")  # noqa: S608  # ours


def _adopt_by_copy() -> None:
    """SQLite can't change a column. Its times come in whatever form a Go driver wrote them, and leave in ours."""
    bind = op.get_bind()
    old = sa.Table("cron_jobs", sa.MetaData(), autoload_with=bind)
    ours = {*SEED, *(column.name for column in _new_columns())}
    theirs = [sa.Column(column.name, column.type) for column in old.columns if column.name not in ours]
    kept = [*SEED, *(column.name for column in theirs)]
    found = bind.execute(sa.text("SELECT * FROM cron_jobs ORDER BY id")).mappings().all()
    rows = [_adopted({name: row.get(name) for name in kept}) for row in found]
    for index in old.indexes:
        op.drop_index(str(index.name), "cron_jobs")
    op.rename_table("cron_jobs", "cron_jobs_before_cronledger")
    table = _create_jobs()
    for column in theirs:
        op.add_column("cron_jobs", sa.Column(column.name, column.type))
        table.append_column(column)
    if rows:
        op.bulk_insert(table, rows)
    op.drop_table("cron_jobs_before_cronledger")


def _adopted(row: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    times = {name: _time(row[name]) for name in TIMES}
    created = times["created_at"] or now
    return (
        row
        | times
        | {
            "last_error": row["last_error"] or None,
            "enabled": row["enabled"] is None or bool(row["enabled"]),
            "created_at": created,
            "updated_at": times["updated_at"] or now,
            "uid": uuid7(),
            "anchor": created.replace(microsecond=0),
            "day_rule": "and",
        }
    )


def _time(written: object) -> datetime | None:
    """RFC 3339, SQLite's own form or Go's Time.String(); Go's zero time, in the year 1, is none."""
    found = WRITTEN.match(str(written or "").strip())
    if found is None or found["date"] < "0002":
        return None
    try:
        read = datetime.fromisoformat(f"{found['date']}T{found['clock'] or '00:00'}{found['offset'] or 'Z'}")
        return read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _create_runs() -> None:
    op.create_table(
        "job_runs",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("ledger_at", UtcDateTime, nullable=False),
        sa.Column("job_id", sa.Uuid, nullable=False),
        sa.Column("job_name", sa.String(255), nullable=False),
        sa.Column("job_version", sa.Integer, nullable=False),
        sa.Column("scheduled_for", UtcDateTime, nullable=False),
        sa.Column("trigger", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
        sa.Column("takeovers", sa.Integer, nullable=False, server_default="0"),
        sa.Column("owner", sa.Uuid),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("status_code", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("response_excerpt", sa.Text),
        sa.PrimaryKeyConstraint("id", "ledger_at", name="pk_job_runs"),
        postgresql_partition_by="RANGE (ledger_at)",
    )
    op.create_index("idx_job_runs_job_id_id", "job_runs", ["job_id", "id"])
    for state, column in (("pending", "due_at"), ("running", "owner")):
        where = sa.text(f"state = '{state}'")
        op.create_index(f"idx_job_runs_{state}", "job_runs", [column], postgresql_where=where, sqlite_where=where)


def _create_spans_and_versions() -> None:
    op.create_table(
        "job_spans",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("job_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("from", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime),
        sa.Column("count", sa.BigInteger),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job_spans"),
    )
    op.create_index("idx_job_spans_job_id_from", "job_spans", ["job_id", "from"])
    create_partial_index(OPEN_SPAN, "until IS NULL")
    op.create_table(
        "job_versions",
        sa.Column("job_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("effective_from", UtcDateTime, nullable=False),
        sa.Column("effective_until", UtcDateTime),
        sa.Column("definition", json_column(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "version", name="pk_job_versions"),
    )


def _create_replicas() -> None:
    op.create_table(
        "replicas",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("hostname", sa.String(255), nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("heartbeat", UtcDateTime, nullable=False),
        sa.Column("dead", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name="pk_replicas"),
    )
    op.create_table(
        "scheduler_switch",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_scheduler_switch"),
    )
    op.execute("INSERT INTO scheduler_switch (id, paused, changed_at) VALUES (1, false, CURRENT_TIMESTAMP)")
