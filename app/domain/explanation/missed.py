"""Instants that nobody claimed in time, with a row or within a span."""

from __future__ import annotations

from datetime import timedelta

from app.domain.explanation.facts import Facts
from app.domain.explanation.words import nobody
from app.domain.misfire import MAX, WINDOW
from app.domain.restored import RESTORED


def missed(facts: Facts, reason: str | None) -> str:
    """Why nobody was there, and why it was not caught up."""
    if reason == RESTORED:
        return (
            "Missed: the ledger was restored from a backup, and what was due before it was taken up again is not run."
            " It may have been called before."
        )
    misfire = facts.policies.misfire
    outage = facts.outage(facts.at, facts.at + timedelta(seconds=misfire.grace_seconds))
    why = f"no replica claimed it within its grace of {misfire.grace_seconds:g} s"
    there = nobody(outage) if outage else "one was alive, and may not have reached the database"
    kept = {
        WINDOW: f"it was older than its misfire window of {misfire.window_seconds:g} s",
        MAX: f"it was none of the newest {misfire.max} that are caught up",
    }
    return f"Missed: {why}; {there}. It was not caught up: {kept.get(reason or '', _by_policy(facts))}."


def _by_policy(facts: Facts) -> str:
    return f"its misfire policy is {facts.policies.misfire.policy}"
