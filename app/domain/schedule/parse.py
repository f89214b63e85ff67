"""Text to schedule: the one dialect, and refusal of anything beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from app.domain.errors import InvalidSchedule
from app.domain.job import DayRule, DstGap, DstOverlap
from app.domain.schedule.cron import CronSchedule
from app.domain.schedule.every import read_every
from app.domain.schedule.expression import read_expression
from app.domain.schedule.instants import EPOCH
from app.domain.schedule.once import ManualSchedule, read_once
from app.domain.schedule.zones import load_zone

if TYPE_CHECKING:
    from datetime import datetime

    from app.domain.schedule.kind import Schedule

DIALECT_VERSION = 1
"""Raised when a text comes to mean other instants than before."""

_LONGEST = 1024
_PREFIX = re.compile(r"(?:CRON_TZ|TZ)=(?P<zone>[^ \t]*)[ \t]*")
_SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def parse(  # noqa: PLR0913  each is an option of the job
    text: str,
    timezone: str | None = None,
    *,
    name: str = "",
    day_rule: DayRule = DayRule.OR,
    dst_gap: DstGap = DstGap.AFTER,
    dst_overlap: DstOverlap = DstOverlap.FIRST,
    anchor: datetime | None = None,
) -> Schedule:
    """Raises InvalidSchedule and UnknownTimezone.

    `timezone` is UTC unless a `TZ=` prefix or the caller says otherwise. `name` is what `H` hashes, `anchor` the phase
    of `@every` (1970 unless it is given).
    """
    _check_characters(text)
    zone, body = _zone_and_body(text, timezone)
    word, *rest = body.split() or [""]
    kind = word.lower()
    if kind == "@every":
        return read_every(text, " ".join(rest), timezone=zone, anchor=anchor or EPOCH)
    if kind == "@at":
        return read_once(text, " ".join(rest), timezone=zone)
    if kind == "@manual" and not rest:
        return ManualSchedule(text=text, timezone=zone)
    if kind.startswith("@"):
        body = _shorthand(body)
    expression = read_expression(body, name=name, day_rule=day_rule)
    return CronSchedule(
        text=text,
        timezone=zone,
        expression=expression,
        pattern=expression.pattern(),
        gap=dst_gap if expression.fixed else DstGap.SKIP,
        overlap=dst_overlap if expression.fixed else DstOverlap.BOTH,
    )


def _check_characters(text: str) -> None:
    if len(text) > _LONGEST:
        raise InvalidSchedule(
            f"The schedule has {len(text)} characters.", field="schedule", remedy=f"Use at most {_LONGEST}."
        )
    for position, character in enumerate(text, start=1):
        if not (" " <= character <= "~" or character == "\t"):
            raise InvalidSchedule(
                f"The schedule holds {character!a} as character {position}.",
                field="schedule",
                remedy="Use letters, digits and signs of ASCII, with spaces between the fields.",
            )
    if not text.strip():
        raise InvalidSchedule("The schedule is empty.", field="schedule", remedy="Use, for example, 0 9 * * MON-FRI.")


def _zone_and_body(text: str, timezone: str | None) -> tuple[str, str]:
    """Settle the zone between prefix and argument."""
    body = text.strip()
    match = _PREFIX.match(body)
    if match is None:
        zone = "UTC" if timezone is None else timezone
        load_zone(zone)
        return zone, body
    zone = _unquoted(match["zone"])
    load_zone(zone, field="schedule")
    if timezone not in (None, zone):
        raise InvalidSchedule(
            f"The prefix says {zone}, and timezone says {timezone}.", field="schedule", remedy="Keep one of them."
        )
    return zone, body[match.end() :]


def _unquoted(zone: str) -> str:
    return zone[1:-1] if len(zone) > 1 and zone[0] == zone[-1] and zone[0] in "\"'" else zone


def _shorthand(body: str) -> str:
    try:
        return _SHORTHANDS[body.lower()]
    except KeyError:
        raise InvalidSchedule(
            f"'{body[:40]}' is not known.",
            field="schedule",
            remedy=f"Use {', '.join(_SHORTHANDS)}, @every 1h30m, @at 2027-01-01T09:00:00Z or @manual.",
        ) from None
