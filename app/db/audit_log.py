"""AuditLogRepository: what people changed, written in the transaction of the change, and only added to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.access_tables import audit_log
from app.db.tenancy import EVERYWHERE, Tenancy
from app.domain.acting import current_actor
from app.domain.audit_record import AuditFilter, AuditRecord
from app.domain.instants import rfc3339
from app.domain.masking import masked

_BATCH = 1000
_LARGEST = 4096
"""Bytes of one value that is told whole."""
OPERATOR = "an operator"
_row = audit_log.c
_COLUMNS = [_row[each.name] for each in fields(AuditRecord)]


class AuditLogRepository:
    """Within the caller's transaction; `now` is the database's time."""

    def __init__(
        self, connection: AsyncConnection, now: ColumnElement[datetime], tenancy: Tenancy = EVERYWHERE
    ) -> None:
        self._connection = connection
        self._now = now
        self._tenancy = tenancy

    async def note(
        self, action: str, subject: str, subject_id: object = None, *, before: object = None, after: object = None
    ) -> None:
        """That the actor did this to what was `before`: dataclasses or mappings, whose credentials are masked.

        Nothing where there is no actor: what the scheduler does stands in the ledger. Of a guest the namespace is told
        that it was one, and where the guest comes from is told who.
        """
        actor = current_actor()
        if actor is None:
            return
        told: dict[str, Any] = {"action": action, "subject": subject}
        told |= {"subject_id": None if subject_id is None else str(subject_id)}
        told |= {"before": _told(before), "after": _told(after), "request_id": actor.request_id, "at": self._now}
        who = {"actor_id": actor.id, "actor": actor.name, "address": actor.address}
        if actor.is_guest:
            away = {"namespace": actor.home, "subject": f"{actor.namespace}/{subject}"}
            await self._connection.execute(insert(audit_log).values(told | who | away))
            who = {"actor_id": None, "actor": OPERATOR, "address": None}
        await self._connection.execute(insert(audit_log).values(told | who | {"namespace": actor.namespace}))

    async def page(self, filters: AuditFilter, before: int | None, limit: int) -> list[AuditRecord]:
        """Newest first; `before` is the last id of the page before."""
        query = select(*_COLUMNS).where(*_matching(filters), self._tenancy.holds(_row.namespace))
        query = query.order_by(_row.id.desc()).limit(limit)
        found = await self._connection.execute(query if before is None else query.where(_row.id < before))
        return [AuditRecord(**row._mapping) for row in found]

    async def forget(self, before: datetime) -> bool:
        """A batch of the oldest; whether there may be more."""
        oldest = select(_row.id).where(_row.at < before).order_by(_row.at).limit(_BATCH)
        found = list(await self._connection.scalars(oldest))
        await self._connection.execute(delete(audit_log).where(_row.id.in_(found)))
        return len(found) == _BATCH


def _matching(filters: AuditFilter) -> list[ColumnElement[bool]]:
    named = ("actor_id", "action", "subject")
    found = [_row[name] == value for name in named if (value := getattr(filters, name)) is not None]
    if filters.since is not None:
        found.append(_row.at >= filters.since)
    if filters.until is not None:
        found.append(_row.at < filters.until)
    return found


def _told(what: object) -> dict[str, Any] | None:
    if what is None:
        return None
    plain = asdict(what) if is_dataclass(what) and not isinstance(what, type) else what
    told: Mapping[str, Any] = json.loads(json.dumps(plain, default=_plain))
    return {name: _shortened(value) for name, value in masked(told).items()}


def _shortened(value: Any) -> Any:  # whatever JSON holds
    """A large value is told by its digest: enough to see that it changed, and to prove what it was."""
    told = json.dumps(value).encode()
    if len(told) <= _LARGEST:
        return value
    return {"bytes": len(told), "sha256": sha256(told).hexdigest()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    return sorted(value) if isinstance(value, frozenset) else str(value)
