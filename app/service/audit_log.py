"""Reading the audit log."""

from __future__ import annotations

from app.db.engine import Database
from app.db.transaction import reading
from app.domain.audit_record import AuditFilter, AuditRecord


class AuditLog:
    """Who changes something writes its line, in the same transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, filters: AuditFilter, before: int | None, limit: int) -> list[AuditRecord]:
        """Newest first; `before` is the last id of the page before."""
        async with reading(self._database) as tx:
            return await tx.audit_log.page(filters, before, limit)
