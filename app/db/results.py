"""What a batch of finished calls makes of their runs and of their jobs. No SQL here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.claim import Finished
from app.domain.run import State

DELETED = "deleted"
"""The reason of a run that nobody wants any more."""

FACTS = ("last_run", "last_error", "last_success", "last_success_run")


@dataclass(frozen=True, slots=True)
class JobFacts:
    """The columns of `cron_jobs` that recording writes; they only move forward."""

    last_run: datetime | None
    last_error: str | None
    last_success: datetime | None
    last_success_run: UUID | None

    def after(self, run: Finished) -> JobFacts:
        """A slow older run never overwrites what a newer one left."""
        facts = self
        if run.outcome is None:
            return facts
        if facts.last_run is None or run.began_at >= facts.last_run:
            facts = replace(facts, last_run=run.began_at, last_error=run.outcome.error)
        if run.outcome.succeeded and (facts.last_success is None or run.ended_at >= facts.last_success):
            facts = replace(facts, last_success=run.ended_at, last_success_run=run.started.call.run_id)
        return facts

    def values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in FACTS}


def job_facts(finished: Sequence[Finished], jobs: Mapping[UUID, Any]) -> dict[UUID, JobFacts]:
    """The new facts of each job that still exists; `jobs` are rows with FACTS."""
    facts: dict[UUID, JobFacts] = {}
    for run in finished:
        uid = run.started.call.job_id
        if uid in jobs:
            known = facts.get(uid) or JobFacts(*(getattr(jobs[uid], name) for name in FACTS))
            facts[uid] = known.after(run)
    return facts


def run_result(run: Finished, facts: JobFacts | None) -> dict[str, Any]:
    """The row of one run; without `facts` its job is deleted."""
    key = {"id": run.started.call.run_id, "ledger_at": run.started.ledger_at, "started_at": run.began_at}
    if run.outcome is None:
        return key | _cut_off(run, deleted=facts is None)
    excerpt = run.outcome.response_excerpt
    if run.outcome.succeeded and (facts is None or facts.last_success_run != run.started.call.run_id):
        excerpt = None
    return key | {
        "state": State.SUCCEEDED if run.outcome.succeeded else State.FAILED,
        "reason": None,
        "finished_at": run.ended_at,
        "status_code": run.outcome.status_code,
        "error": run.outcome.error,
        "response_excerpt": excerpt,
    }


def _cut_off(run: Finished, *, deleted: bool) -> dict[str, Any]:
    """Pending again for whoever is free, unless nobody is left to want it."""
    return {
        "state": State.CANCELED if deleted else State.PENDING,
        "reason": DELETED if deleted else None,
        "finished_at": run.ended_at if deleted else None,
        "status_code": None,
        "error": run.note,
        "response_excerpt": None,
    }
