"""CalendarRepository: the rows of `calendars`, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.tables import calendars
from app.db.tenancy import EVERYWHERE, Tenancy
from app.db.types import AnyRow
from app.domain.calendar import CalendarDefinition, CalendarSummary, PersistedCalendar
from app.domain.errors import NameTaken
from app.domain.exclude import Entry
from app.domain.exclusion import Listed
from app.domain.namespace import plain

_FIELDS = [each.name for each in fields(PersistedCalendar)]
_COLUMNS = [calendars.c[name] for name in _FIELDS]
_FACTS = [calendars.c[each.name] for each in fields(CalendarSummary) if each.name != "size"]
_LENGTH = {"postgresql": "jsonb_array_length", "sqlite": "json_array_length", "mariadb": "json_length"}
_ENTRIES = TypeAdapter(tuple[Entry, ...])


class CalendarRepository:
    """Locks come after those of jobs: who changes a calendar locks the jobs that name it first.

    Names are those of the namespace, keys are of all.
    """

    def __init__(self, connection: AsyncConnection, tenancy: Tenancy = EVERYWHERE) -> None:
        self._connection = connection
        self._tenancy = tenancy

    async def get(self, name: str) -> PersistedCalendar | None:
        return await self._one(select(*_COLUMNS).where(calendars.c.name == self._tenancy.key(name)))

    async def lock(self, name: str) -> PersistedCalendar | None:
        """No job can name it anew until the transaction ends."""
        return await self._one(select(*_COLUMNS).where(calendars.c.name == self._tenancy.key(name)).with_for_update())

    async def hold(self, names: Collection[str]) -> set[str]:
        """Those that there are; they stay as they are until the transaction ends."""
        keys = self._tenancy.keys(names)
        query = select(calendars.c.name).where(calendars.c.name.in_(keys)).order_by(calendars.c.name)
        return set(map(self._tenancy.name, await self._connection.scalars(query.with_for_update(read=True))))

    async def page(self, after: str | None, limit: int) -> list[CalendarSummary]:
        """By name; `after` is the last name of the page before."""
        length = getattr(func, _LENGTH[self._connection.dialect.name])
        query = select(*_FACTS, length(calendars.c.entries).label("size")).order_by(calendars.c.name).limit(limit)
        query = query.where(self._tenancy.holds_key(calendars.c.name))
        if after is not None:
            query = query.where(calendars.c.name > self._tenancy.key(after))
        found = await self._connection.execute(query)
        return [CalendarSummary(**row._asdict() | {"name": self._tenancy.name(row.name)}) for row in found]

    async def listed(self, keys: Collection[str]) -> dict[str, Listed]:
        """What each of them excludes, by key."""
        query = select(*_COLUMNS).where(calendars.c.name.in_(keys))
        return {row.name: _listed(_calendar(row)) for row in await self._connection.execute(query)}

    async def versions(self, keys: Collection[str]) -> dict[str, tuple[int, int]]:
        """(id, version) of each of them, which name what it holds for ever, by key."""
        query = select(calendars.c.name, calendars.c.id, calendars.c.version).where(calendars.c.name.in_(keys))
        return {row.name: (row.id, row.version) for row in await self._connection.execute(query)}

    async def add(self, definition: CalendarDefinition, at: datetime) -> PersistedCalendar:
        """Raises NameTaken."""
        values = _values(definition) | {"created_at": at, "updated_at": at, "name": self._tenancy.key(definition.name)}
        try:
            found = await self._connection.execute(insert(calendars).values(values).returning(*_COLUMNS))
        except IntegrityError as error:
            raise NameTaken(
                f"A calendar named {definition.name} exists already.",
                field="name",
                remedy="Use another name, or PUT to replace it.",
            ) from error
        return self._named(found.one())

    async def write(self, calendar: PersistedCalendar) -> None:
        values = _values(calendar) | {"version": calendar.version, "updated_at": calendar.updated_at}
        values |= {"name": self._tenancy.key(calendar.name)}
        await self._connection.execute(update(calendars).where(calendars.c.id == calendar.id).values(values))

    async def remove(self, calendar_id: int) -> None:
        await self._connection.execute(delete(calendars).where(calendars.c.id == calendar_id))

    async def _one(self, query: Select[*tuple[Any, ...]]) -> PersistedCalendar | None:
        row = (await self._connection.execute(query)).first()
        return None if row is None else self._named(row)

    def _named(self, row: AnyRow) -> PersistedCalendar:
        return replace(_calendar(row), name=self._tenancy.name(row.name))


class SharedCalendars:
    """What calendars exclude, read once for all jobs that name them, and again once they have changed."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[int, int], Listed]] = {}

    async def read(self, connection: AsyncConnection, keys: Collection[str]) -> dict[str, Listed]:
        """Those that there are, by key."""
        if not keys:
            return {}
        calendars = CalendarRepository(connection)
        versions = await calendars.versions(keys)
        changed = [
            name for name, version in versions.items() if name not in self._kept or self._kept[name][0] != version
        ]
        for name, listed in (await calendars.listed(changed) if changed else {}).items():
            self._kept[name] = versions[name], listed
        return {name: self._kept[name][1] for name in versions if name in self._kept}


def _listed(calendar: PersistedCalendar) -> Listed:
    return Listed(calendar.timezone, calendar.entries, plain(calendar.name))


def _calendar(row: AnyRow) -> PersistedCalendar:
    return PersistedCalendar(**dict(row._mapping) | {"entries": _ENTRIES.validate_python(row.entries)})


def _values(definition: CalendarDefinition) -> dict[str, Any]:
    names = [each.name for each in fields(CalendarDefinition)]
    plain = {name: getattr(definition, name) for name in names}
    return plain | {"entries": _ENTRIES.dump_python(definition.entries, mode="json", exclude_defaults=True)}
