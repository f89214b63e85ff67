"""The events' triggers on MariaDB, which knows those of rows alone, and the order in which events are read.

A trigger can't know the order of the commits: a key that it was given may belong to a transaction that ends long after
the next one's. So triggers write drafts, and whoever reads moves to `events` those that are committed, with the numbers
that come next. One does so at a time, who has locked the row of the last number: what is in `events` misses nothing.
The drafts of one run and of one job have the order of their commits, since they are written while it is locked.
"""

from __future__ import annotations

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

BATCH = 2000
"""Drafts that one transaction moves."""

TABLES = ("event_drafts", "event_order")

_COLUMNS = "at, kind, job_id, job_name, job_version, run_id, scheduled_for, `trigger`, attempt, reason"

_CHANGED = (
    "OLD.version <> NEW.version OR OLD.enabled <> NEW.enabled OR NOT OLD.problem <=> NEW.problem"
    " OR OLD.schedule <> NEW.schedule OR NOT OLD.endpoint <=> NEW.endpoint"
)

_RUN = f"""INSERT INTO event_drafts ({_COLUMNS}) VALUES
(UTC_TIMESTAMP(6), CONCAT('run.', NEW.state), NEW.job_id, NEW.job_name, NEW.job_version, NEW.id, NEW.scheduled_for,
 NEW.`trigger`, NEW.attempt, NEW.reason)"""  # noqa: S608  # all of it is ours


def _job(kind: str, row: str, reason: str) -> str:
    told = f"UTC_TIMESTAMP(6), {kind}, {row}.uid, {row}.name, {row}.version, {reason}"
    return f"INSERT INTO event_drafts (at, kind, job_id, job_name, job_version, reason) VALUES ({told})"  # noqa: S608  # ours


CREATE = [
    """
CREATE TABLE IF NOT EXISTS event_drafts (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, at DATETIME(6) NOT NULL, kind VARCHAR(16) NOT NULL,
    job_id VARCHAR(32) NOT NULL, job_name VARCHAR(255) NOT NULL, job_version INTEGER NOT NULL, run_id VARCHAR(32),
    scheduled_for DATETIME(6), `trigger` VARCHAR(16), attempt INTEGER, reason LONGTEXT
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin""",
    "CREATE TABLE IF NOT EXISTS event_order (id INTEGER NOT NULL PRIMARY KEY, newest BIGINT NOT NULL) ENGINE=InnoDB",
    "INSERT INTO event_order (id, newest) VALUES (1, 0) ON DUPLICATE KEY UPDATE id = id",
    f"CREATE OR REPLACE TRIGGER cronledger_run_made AFTER INSERT ON job_runs FOR EACH ROW {_RUN}",
    f"""
CREATE OR REPLACE TRIGGER cronledger_run_moved AFTER UPDATE ON job_runs FOR EACH ROW
IF OLD.state <> NEW.state THEN {_RUN}; END IF""",
    f"""
CREATE OR REPLACE TRIGGER cronledger_job_made AFTER INSERT ON cron_jobs FOR EACH ROW
{_job("'job.created'", "NEW", "NEW.problem")}""",
    f"""
CREATE OR REPLACE TRIGGER cronledger_job_deleted AFTER DELETE ON cron_jobs FOR EACH ROW
{_job("'job.deleted'", "OLD", "NULL")}""",
    f"""
CREATE OR REPLACE TRIGGER cronledger_job_changed AFTER UPDATE ON cron_jobs FOR EACH ROW
IF {_CHANGED} THEN {_job("'job.changed'", "NEW", "NEW.problem")};
ELSEIF OLD.completed < NEW.completed THEN {_job("'job.completed'", "NEW", "NULL")};
ELSEIF OLD.failing <> NEW.failing THEN {_job("IF(NEW.failing, 'job.failing', 'job.recovered')", "NEW", "NULL")};
END IF""",
]

NAMES = (
    "cronledger_job_changed",
    "cronledger_job_deleted",
    "cronledger_job_made",
    "cronledger_run_made",
    "cronledger_run_moved",
)
FOUND = "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()"

DROP = [*(f"DROP TRIGGER IF EXISTS {name}" for name in NAMES), *(f"DROP TABLE IF EXISTS {name}" for name in TABLES)]

NEWEST = text("SELECT newest FROM event_order")
_COMMITTED = text("SELECT id FROM event_drafts ORDER BY id LIMIT :most")
_LOCK = text("SELECT newest FROM event_order FOR UPDATE")
_DRAFTS = "JSON_TABLE(:ids, '$[*]' COLUMNS (id BIGINT PATH '$')) AS chosen STRAIGHT_JOIN event_drafts USING (id)"
_MOVE = text(
    f"INSERT INTO events (id, {_COLUMNS})"  # noqa: S608  # all of it is ours
    f" SELECT :newest + ROW_NUMBER() OVER (ORDER BY id), {_COLUMNS} FROM {_DRAFTS}"
)
_FORGET = text(f"DELETE event_drafts FROM {_DRAFTS}")
_COUNT = text("UPDATE event_order SET newest = newest + :moved")


async def order_events(connection: AsyncConnection) -> bool:
    """Move a batch of drafts, in the caller's transaction; whether there may be more.

    Costs one statement while there are none. Only drafts that are committed are touched: nobody is waited for.
    """
    if await connection.scalar(_COMMITTED, {"most": 1}) is None:
        return False
    newest = (await connection.execute(_LOCK)).scalar_one()
    ids = list(await connection.scalars(_COMMITTED, {"most": BATCH}))
    told = {"ids": orjson.dumps(ids).decode()}
    await connection.execute(_MOVE, told | {"newest": newest})
    await connection.execute(_FORGET, told)
    await connection.execute(_COUNT, {"moved": len(ids)})
    return len(ids) == BATCH
