"""The events' triggers on PostgreSQL: per statement for runs, which come by the thousand, per row for jobs.

A claim and a record update a job's row too: nothing of that is an event, and the WHEN costs next to nothing.
"""

from __future__ import annotations

_CHANGED = (
    "OLD.version <> NEW.version OR OLD.enabled <> NEW.enabled OR OLD.problem IS DISTINCT FROM NEW.problem"
    " OR OLD.schedule <> NEW.schedule OR OLD.endpoint IS DISTINCT FROM NEW.endpoint"
)

_RUNS = """
INSERT INTO :schema.events (at, kind, job_id, job_name, job_version, run_id, scheduled_for, trigger, attempt, reason)
SELECT clock_timestamp(), 'run.' || run.state, run.job_id, run.job_name, run.job_version, run.id, run.scheduled_for,
       run.trigger, run.attempt, run.reason
"""
_JOB = "INSERT INTO :schema.events (at, kind, job_id, job_name, job_version, reason) VALUES (clock_timestamp(), "

_AS_OWNER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
"""Another program that may write jobs needs no right to write events; whatever it calls by their name is not them."""

CREATE = [
    f"""
CREATE FUNCTION cronledger_runs_made() RETURNS trigger {_AS_OWNER} AS $$
BEGIN
    {_RUNS} FROM new_runs AS run ORDER BY run.id;
    RETURN NULL;
END $$""",
    f"""
CREATE FUNCTION cronledger_runs_moved() RETURNS trigger {_AS_OWNER} AS $$
BEGIN
    {_RUNS} FROM new_runs AS run JOIN old_runs AS was ON was.id = run.id AND was.ledger_at = run.ledger_at
    WHERE was.state <> run.state ORDER BY run.id;
    RETURN NULL;
END $$""",
    f"""
CREATE FUNCTION cronledger_job_event() RETURNS trigger {_AS_OWNER} AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        {_JOB} 'job.deleted', OLD.uid, OLD.name, OLD.version, NULL);
    ELSIF TG_OP = 'INSERT' THEN
        {_JOB} 'job.created', NEW.uid, NEW.name, NEW.version, NEW.problem);
    ELSIF {_CHANGED} THEN
        {_JOB} 'job.changed', NEW.uid, NEW.name, NEW.version, NEW.problem);
    ELSIF NEW.completed AND NOT OLD.completed THEN
        {_JOB} 'job.completed', NEW.uid, NEW.name, NEW.version, NULL);
    ELSIF NEW.failing <> OLD.failing THEN
        {_JOB} CASE WHEN NEW.failing THEN 'job.failing' ELSE 'job.recovered' END, NEW.uid, NEW.name, NEW.version, NULL);
    END IF;
    RETURN NULL;
END $$""",
    """
CREATE TRIGGER cronledger_runs_made AFTER INSERT ON job_runs REFERENCING NEW TABLE AS new_runs
FOR EACH STATEMENT EXECUTE FUNCTION cronledger_runs_made()""",
    """
CREATE TRIGGER cronledger_runs_moved AFTER UPDATE ON job_runs REFERENCING OLD TABLE AS old_runs NEW TABLE AS new_runs
FOR EACH STATEMENT EXECUTE FUNCTION cronledger_runs_moved()""",
    """
CREATE TRIGGER cronledger_job_made AFTER INSERT OR DELETE ON cron_jobs
FOR EACH ROW EXECUTE FUNCTION cronledger_job_event()""",
    f"""
CREATE TRIGGER cronledger_job_changed AFTER UPDATE ON cron_jobs FOR EACH ROW
WHEN ({_CHANGED} OR OLD.completed < NEW.completed OR OLD.failing <> NEW.failing)
EXECUTE FUNCTION cronledger_job_event()""",
]

NAMES = ("cronledger_job_changed", "cronledger_job_made", "cronledger_runs_made", "cronledger_runs_moved")
FOUND = "SELECT tgname FROM pg_trigger WHERE tgrelid IN ('cron_jobs'::regclass, 'job_runs'::regclass)"

DROP = [
    "DROP TRIGGER cronledger_runs_made ON job_runs",
    "DROP TRIGGER cronledger_runs_moved ON job_runs",
    "DROP TRIGGER cronledger_job_made ON cron_jobs",
    "DROP TRIGGER cronledger_job_changed ON cron_jobs",
    *(f"DROP FUNCTION {name}()" for name in ("cronledger_runs_made", "cronledger_runs_moved", "cronledger_job_event")),
]
