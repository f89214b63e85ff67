"""The events' triggers on SQLite, which knows those of rows alone.

The clock is its own, so that a program without our functions can write: it stops at milliseconds.
"""

from __future__ import annotations

_NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"

_CHANGED = (
    "OLD.version <> NEW.version OR OLD.enabled <> NEW.enabled OR OLD.problem IS NOT NEW.problem"
    " OR OLD.schedule <> NEW.schedule OR OLD.endpoint IS NOT NEW.endpoint"
)

_TOLD = f"NOT ({_CHANGED}) AND (OLD.completed < NEW.completed OR OLD.failing <> NEW.failing)"

_RUN = f"""BEGIN
INSERT INTO events (at, kind, job_id, job_name, job_version, run_id, scheduled_for, trigger, attempt, reason)
VALUES ({_NOW}, 'run.' || NEW.state, NEW.job_id, NEW.job_name, NEW.job_version, NEW.id, NEW.scheduled_for,
        NEW.trigger, NEW.attempt, NEW.reason);
END"""  # noqa: S608  # all of it is ours


def _job(kind: str, row: str, reason: str) -> str:
    return f"""BEGIN
INSERT INTO events (at, kind, job_id, job_name, job_version, reason)
VALUES ({_NOW}, {kind}, {row}.uid, {row}.name, {row}.version, {reason});
END"""  # noqa: S608  # all of it is ours


_JOB_MADE = _job("'job.created'", "NEW", "NEW.problem")
_JOB_DELETED = _job("'job.deleted'", "OLD", "NULL")
_JOB_CHANGED = _job("'job.changed'", "NEW", "NEW.problem")
_JOB_TOLD = _job(
    "CASE WHEN OLD.completed < NEW.completed THEN 'job.completed'"
    " WHEN NEW.failing THEN 'job.failing' ELSE 'job.recovered' END",
    "NEW",
    "NULL",
)

CREATE = [
    f"CREATE TRIGGER cronledger_run_made AFTER INSERT ON job_runs {_RUN}",
    f"CREATE TRIGGER cronledger_run_moved AFTER UPDATE OF state ON job_runs WHEN OLD.state <> NEW.state {_RUN}",
    f"CREATE TRIGGER cronledger_job_made AFTER INSERT ON cron_jobs {_JOB_MADE}",
    f"CREATE TRIGGER cronledger_job_deleted AFTER DELETE ON cron_jobs {_JOB_DELETED}",
    f"CREATE TRIGGER cronledger_job_changed AFTER UPDATE ON cron_jobs WHEN {_CHANGED} {_JOB_CHANGED}",
    f"CREATE TRIGGER cronledger_job_told AFTER UPDATE OF completed, failing ON cron_jobs WHEN {_TOLD} {_JOB_TOLD}",
]

NAMES = (
    "cronledger_job_changed",
    "cronledger_job_deleted",
    "cronledger_job_made",
    "cronledger_job_told",
    "cronledger_run_made",
    "cronledger_run_moved",
)
FOUND = "SELECT name FROM sqlite_master WHERE type = 'trigger'"

DROP = [f"DROP TRIGGER {name}" for name in NAMES]
