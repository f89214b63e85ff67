"""What every kind of schedule can tell, and the check that it will ever fire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from app.domain.errors import NeverFires

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


class Schedule(Protocol):
    """When a job is due. Immutable. Times that go in are aware, times that come out are in UTC."""

    @property
    def text(self) -> str:
        """The schedule as it was written."""
        ...

    @property
    def timezone(self) -> str:
        """The zone in effect: that of the `TZ=` prefix if there is one."""
        ...

    @property
    def never_by_itself(self) -> bool:
        """Whether it is meant to have no occurrences at all."""
        ...

    def next_after(self, t: datetime) -> datetime | None:
        """The first occurrence strictly after t, or None when there is none before 2100."""
        ...

    def previous_before(self, t: datetime) -> datetime | None:
        """The last occurrence strictly before t, or None when there is none since 1970."""
        ...

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The occurrences in (after, until], in order: each for a fraction of what `next_after` costs."""
        ...

    def count_between(self, after: datetime, until: datetime) -> int:
        """How many occurrences lie in (after, until]."""
        ...

    def describe(self) -> str:
        """The schedule in words."""
        ...


def require_occurrence(schedule: Schedule, after: datetime) -> None:
    """Raise NeverFires unless something is due after that time; `@manual` may be due never."""
    if not schedule.never_by_itself and schedule.next_after(after) is None:
        raise NeverFires(
            f"'{schedule.text[:80]}' has no occurrence after {after:%Y-%m-%d %H:%M:%S} and before the year 2100.",
            field="schedule",
            remedy="Use days, years or an instant that are still to come, or @manual.",
        )
