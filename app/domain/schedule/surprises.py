"""What the preview of a schedule warns of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.job import DayRule, DstGap, DstOverlap
from app.domain.schedule.cron import CronSchedule
from app.domain.schedule.every import EverySchedule
from app.domain.schedule.instants import at_or_before, instant
from app.domain.schedule.local import Stretch, changes_between

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from app.domain.schedule.kind import Schedule

_MOST_CHANGES = 10
"""A long preview tells of so many changes of the clock one by one."""


def warnings_for(schedule: Schedule, frm: datetime, occurrences: Sequence[datetime]) -> list[str]:
    """Warnings about a preview that starts after `frm` and ends with the last of its occurrences."""
    if isinstance(schedule, EverySchedule) and not schedule.exact:
        return [f"Only whole seconds count: the interval is {schedule.interval} s."]
    if not isinstance(schedule, CronSchedule):
        return []
    return [*_day_rule(schedule), *_busiest_minute(schedule), *_clock_changes(schedule, frm, occurrences)]


def _day_rule(schedule: CronSchedule) -> Iterator[str]:
    expression = schedule.expression
    day, weekday = expression.readings[3], expression.readings[5]
    if not expression.restricts_both_days:
        if not (day.everything or weekday.everything):
            yield (
                "Day of month and day of week must both match, whatever the day rule,"
                " since one of them begins with `*`."
            )
    elif expression.day_rule == DayRule.OR:
        yield (
            "Day of month and day of week are both restricted: it fires on days that match either."
            " `day_rule: and` fires only on days that match both."
        )
    else:
        yield (
            "Day of month and day of week are both restricted: it fires only on days that match both."
            " `day_rule: or`, which crontab(5) has, fires on days that match either."
        )


def _busiest_minute(schedule: CronSchedule) -> Iterator[str]:
    second, minute, hour, *_ = schedule.expression.readings
    times = schedule.pattern.times
    if times.seconds == times.minutes == (0,) and (hour.everything or times.hours == (0,)):
        if "H" in f"{second.text}{minute.text}".upper():
            return
        when = "hour" if hour.everything else "day"
        yield (
            f"Most schedules fire in the first minute of the {when}."
            " `H` as the minute would spread the load: a minute that follows from the job's name."
        )


def _clock_changes(schedule: CronSchedule, frm: datetime, occurrences: Sequence[datetime]) -> Iterator[str]:
    if not occurrences:
        return
    first, last = at_or_before(frm) + 1, at_or_before(occurrences[-1])
    told = 0
    for stretch in changes_between(schedule.timezone, first - _WIDEST, last + _WIDEST):
        warning = _clock_change(schedule, stretch, first, last)
        told += warning is not None
        if warning and told <= _MOST_CHANGES:
            yield warning
    if told > _MOST_CHANGES:
        yield f"{told - _MOST_CHANGES} more changes of the clock concern this preview."


_WIDEST = 86_400
"""Seconds: the clock of a zone jumps by a day at most."""


def _clock_change(schedule: CronSchedule, stretch: Stretch, first: int, last: int) -> str | None:
    """What happens at one change, if a time of the schedule is concerned within [first, last]."""
    jump = abs(stretch.offset - stretch.before)
    gap = stretch.before < stretch.offset
    begins, ends = (stretch.start, stretch.start) if gap else (stretch.start - jump, stretch.start + jump - 1)
    low = stretch.start + min(stretch.before, stretch.offset)
    local = schedule.pattern.next(low)
    if ends < first or last < begins or local is None or local >= low + jump:
        return None
    when = f"{instant(local):%Y-%m-%d %H:%M}"
    fate = _fate_in_gap(schedule, stretch) if gap else _FATE_IN_OVERLAP[schedule.overlap]
    return f"{when} {'does not exist' if gap else 'comes twice'} in {schedule.timezone}: {fate}."


def _fate_in_gap(schedule: CronSchedule, stretch: Stretch) -> str:
    if schedule.gap == DstGap.SKIP:
        return "times in that gap don't fire"
    return f"times in that gap fire once, at {instant(stretch.start + stretch.offset):%Y-%m-%d %H:%M}"


_FATE_IN_OVERLAP = {
    DstOverlap.FIRST: "it fires the first time",
    DstOverlap.LAST: "it fires the second time",
    DstOverlap.BOTH: "it fires both times",
}
