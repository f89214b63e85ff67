"""Why a run began later than it was due, or has not begun."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.domain.delay import NO_PLACE, host_of
from app.domain.explanation.facts import Facts
from app.domain.explanation.words import joined, lasting, nobody, the_run
from app.domain.gates import CATCH_UP_RATE, job_of, key_of
from app.domain.namespace import plain

PROMPT = timedelta(seconds=1)
"""What begins within it is on time."""


def is_late(facts: Facts, began: datetime) -> bool:
    return began - facts.due >= PROMPT


def timing(facts: Facts, began: datetime) -> str:
    """How late it began; less than it was due is the clock of another server."""
    late = max(began - facts.due, timedelta(0))
    if is_late(facts, began):
        return f"{lasting(late)} late"
    if facts.jitter:
        return (
            f"on time, {lasting(began - facts.at)} after its instant, of which {lasting(facts.jitter)} are its jitter"
        )
    return f"on time, {lasting(late)} after it was due"


def causes(facts: Facts, began: datetime) -> str:
    """A clause for each that the ledger knows of."""
    found = []
    if outage := facts.outage(facts.due, began):
        found.append(nobody(outage))
    if facts.run is not None and facts.run.delayed_by is not None:
        found.append(held_up(facts, facts.run.delayed_by))
    if facts.jitter:
        found.append(f"its jitter of {lasting(facts.jitter)} is not counted")
    if not found or (len(found) == 1 and facts.jitter):
        found.append("the ledger has no cause: a replica was alive, and may have been busy or without the database")
    return joined(found)


def held_up(facts: Facts, by: str) -> str:
    """What a gate was that the run had to pass, or which places were taken."""
    if by == CATCH_UP_RATE:
        return "what is caught up begins at a bounded rate"
    if (key := key_of(by)) is not None:
        return f"the limit {plain(key)} had no room"
    if (host := host_of(by)) is not None:
        return f"all places for calls to {host} were taken on the replica that claimed it"
    if by == NO_PLACE:
        return "all places for calls were taken on the replica that claimed it"
    if job_of(by) is not None:
        return f"it waited behind {the_run(facts.ahead)}" if facts.ahead else "it waited behind another run of its job"
    return f"it waited for {by}"
