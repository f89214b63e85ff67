"""Whose runs are to be taken over."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Select, exists, select, text

from app.db.tables import RUNNING, job_runs
from app.db.trace_tables import replicas


def dead_owners() -> Select[UUID]:
    """Those who own what is running, and are dead or have no row.

    Each is looked for in the index from the one before it on, which costs so much for each owner, however many runs
    there are. A planner whose statistics are old reads all of today's runs when it is asked for all that is running.
    """
    owners = select(_first_owner().label("owner")).cte("owners", recursive=True)
    following = select(_first_owner(owners.c.owner)).where(owners.c.owner.is_not(None))
    owners = owners.union_all(following)
    alive = exists().where(replicas.c.id == owners.c.owner, ~replicas.c.dead)
    return select(owners.c.owner).where(owners.c.owner.is_not(None), ~alive)


def _first_owner(after: ColumnElement[UUID] | None = None) -> ScalarSelect[UUID]:
    owner = job_runs.c.owner
    query = select(owner).where(text(f"({RUNNING})")).order_by(owner).limit(1)
    return (query if after is None else query.where(owner > after)).scalar_subquery()
