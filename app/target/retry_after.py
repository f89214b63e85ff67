"""How long a target asks to be left alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST = timedelta(days=366)

_SECONDS = re.compile(r"[0-9]{1,9}")


def retry_after(value: str, now: datetime) -> timedelta | None:
    """Read seconds, or a date in any of HTTP's three forms (RFC 9110, 10.2.3 and 5.6.7); None for anything else.

    A date that has passed is no wait at all.
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return min(timedelta(seconds=int(value)), LONGEST)
    try:
        until = parsedate_to_datetime(value)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return min(max(until - now, timedelta(0)), LONGEST)
    except (ValueError, OverflowError):
        return None
