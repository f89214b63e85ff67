"""How far the events may be read."""

from __future__ import annotations

from collections import deque

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.mariadb_events import NEWEST, order_events

_MOST_MARKS = 100
_NEWEST = {
    "postgresql": text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM events_id_seq"),
    "sqlite": text("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'"),
    "mariadb": NEWEST,
}
_OWN = text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")
_OLDEST = text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")


class Horizon:
    """The id up to which every event belongs to a transaction that has ended: what is read below it misses none.

    On PostgreSQL a mark is the newest id that was given out, and a transaction number that was given out after it.
    Whoever was given that id, or one before it, had written its run or job first, and so has a smaller number. As soon
    as no transaction below the mark's is open, the horizon is the mark's id. A snapshot's xmax would not do for the
    number: it stands above the transactions that have ended, not above those that have begun. SQLite has one writer.
    On MariaDB ids are given out in the order of the commits, see `app.db.mariadb_events`.
    """

    def __init__(self) -> None:
        self.value: int | None = None
        self._marked = -1
        self._marks: deque[tuple[int, int]] = deque()

    async def move(self, connection: AsyncConnection) -> None:
        """Costs one statement while nothing happens, two on MariaDB, where it writes."""
        if connection.dialect.name == "mariadb":
            await order_events(connection)
        newest = await newest_id(connection)
        if connection.dialect.name != "postgresql":
            self.value = newest
            return
        if newest != self._marked and len(self._marks) < _MOST_MARKS:
            self._marks.append((newest, (await connection.execute(_OWN)).scalar_one()))
            self._marked = newest
        if self._marks:
            oldest = (await connection.execute(_OLDEST)).scalar_one()
            while self._marks and self._marks[0][1] <= oldest:
                self.value = self._marks.popleft()[0]


async def newest_id(connection: AsyncConnection) -> int:
    """The last that was given out, also to a transaction that is open."""
    newest: int = (await connection.execute(_NEWEST[connection.dialect.name])).scalar_one()
    return newest
