"""`@at 2027-01-01T09:00:00+01:00`: due once. `@manual`: never due by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from app.domain.errors import InvalidSchedule
from app.domain.schedule.instants import END, EPOCH, instant
from app.domain.schedule.words import in_zone, moment

_HOUR_AND_MINUTE = "([01][0-9]|2[0-3]):[0-5][0-9]"
_RFC_3339 = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_HOUR_AND_MINUTE}:[0-5][0-9](\.[0-9]{{1,6}}0*)?(Z|[+-]{_HOUR_AND_MINUTE})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnceSchedule:
    """Due at one instant, kept to the microsecond."""

    text: str
    timezone: str
    at: datetime
    never_by_itself: ClassVar[bool] = False

    def next_after(self, t: datetime) -> datetime | None:
        return self.at if t < self.at and self._counts() else None

    def previous_before(self, t: datetime) -> datetime | None:
        return self.at if self.at < t and self._counts() else None

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        return iter([self.at] * self.count_between(after, until))

    def count_between(self, after: datetime, until: datetime) -> int:
        return int(after < self.at <= until and self._counts())

    def describe(self) -> str:
        return f"Once, on {moment(self.at, self.timezone)}{in_zone(self.timezone)}"

    def _counts(self) -> bool:
        return EPOCH <= self.at < instant(END)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualSchedule:
    """Due when somebody triggers it."""

    text: str
    timezone: str
    never_by_itself: ClassVar[bool] = True

    def next_after(self, t: datetime) -> None:
        """Nothing is due by itself."""

    def previous_before(self, t: datetime) -> None:
        """Nothing was due by itself."""

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:  # noqa: ARG002  every schedule is asked alike
        return iter(())

    def count_between(self, after: datetime, until: datetime) -> int:  # noqa: ARG002  every schedule is asked alike
        return 0

    def describe(self) -> str:
        return "Only when triggered"


def read_once(text: str, moment: str, *, timezone: str) -> OnceSchedule:
    """Raises InvalidSchedule unless the moment is RFC 3339."""
    try:
        if not _RFC_3339.fullmatch(moment.upper()):
            raise ValueError(moment)  # noqa: TRY301  the same refusal as for a date that does not exist
        at = datetime.fromisoformat(moment.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidSchedule(
            f"@at: '{moment[:40]}' is not a date and time with an offset.",
            field="schedule",
            remedy="Use RFC 3339, such as @at 2027-01-01T09:00:00+01:00.",
        ) from error
    return OnceSchedule(text=text, timezone=timezone, at=at)
