"""An instant as it is written: RFC 3339, always with its offset."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from app.api.schemas.text import fault

_FIRST, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(?P<offset>Z|[+-][0-9]{2}:[0-9]{2})?"
)


def read_instant(value: object) -> datetime:
    """In UTC, within the years that schedules know."""
    if isinstance(value, datetime):
        return value
    match = _RFC_3339.fullmatch(value.upper()) if isinstance(value, str) else None
    if match is None:
        raise fault("instant", "Is not a date and time", "Use RFC 3339, such as 2027-01-01T09:00:00+01:00.")
    if match["offset"] is None:
        raise fault("instant", "Has no offset from UTC", "Add Z or an offset such as +01:00 (in a query, %2B01:00).")
    try:
        instant = datetime.fromisoformat(match[0]).astimezone(UTC)
    except ValueError:
        raise fault("instant", "Does not exist in the calendar", "Correct the day or the time.") from None
    except OverflowError:
        instant = _END
    if not _FIRST <= instant < _END:
        raise fault("instant", "Is out of range", "Use an instant from 1970 to 2099.")
    return instant
