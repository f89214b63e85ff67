"""Whose rows a transaction sees: those of one namespace, or all.

A job that is not among `job_namespaces` is in `default`: also one that another program inserted. The ledger itself
names no namespace, so that the way of a run from its claim to its end costs the same as without.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, false, func, select, true

from app.db.namespace_tables import job_namespaces
from app.domain.namespace import DEFAULT, plain, prefix, qualified


@dataclass(frozen=True, slots=True)
class Tenancy:
    """`namespace` is None for who works for all of them, and has calendars, limits and secrets by their keys."""

    namespace: str | None = None

    @property
    def home(self) -> str:
        """Where what is made is put, and what is named is looked for."""
        return self.namespace or DEFAULT

    def key(self, name: str) -> str:
        return name if self.namespace is None else qualified(self.namespace, name)

    def keys(self, names: Iterable[str]) -> list[str]:
        return [self.key(name) for name in names]

    def name(self, key: str) -> str:
        return key if self.namespace is None else plain(key)

    def holds_key(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        if self.namespace is None:
            return true()
        if self.namespace == DEFAULT:
            return ~column.contains(prefix(""))
        return column.startswith(prefix(self.namespace), autoescape=True)

    def holds_job(self, job_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether the row is of one of its jobs, also of one that is deleted: looked up for each row by itself.

        A page is read in its order, and ends where it is full. Of a join, PostgreSQL may read and sort everything; of a
        CASE it expects that it lets half of the rows through, and not next to none.
        """
        if self.namespace is None:
            return true()
        theirs = select(job_namespaces.c.namespace).where(job_namespaces.c.job_id == job_id).scalar_subquery()
        return case((func.coalesce(theirs, DEFAULT) == self.namespace, true()), else_=false())

    def holds_jobs(self, job_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """The same, for whoever reads all that there is."""
        if self.namespace is None:
            return true()
        listed = exists().where(job_namespaces.c.job_id == job_id)
        return ~listed if self.namespace == DEFAULT else listed.where(job_namespaces.c.namespace == self.namespace)

    def jobs(self) -> Select[Any]:
        """The ids of its jobs, also of those that are deleted; not for `default`, whose are those that no row names."""
        return select(job_namespaces.c.job_id).where(job_namespaces.c.namespace == self.namespace)

    def holds(self, namespace: ColumnElement[str]) -> ColumnElement[bool]:
        """Of a row that names its own."""
        return true() if self.namespace is None else namespace == self.namespace


EVERYWHERE = Tenancy()


def others_exist() -> ColumnElement[bool]:
    """Whether there has ever been a job outside of `default`."""
    return exists(select(job_namespaces.c.job_id))
