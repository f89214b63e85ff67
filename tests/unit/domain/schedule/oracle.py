"""A second opinion, written plainly: it looks at every minute and knows nothing of how schedules are computed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from app.domain.job import DayRule, DstGap, DstOverlap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

WIDEST = timedelta(hours=27)
"""More than any clock is off UTC, and than any gap is wide."""


@dataclass(frozen=True)
class Plain:
    """A field as text, and the values that the text is meant to have."""

    text: str
    values: frozenset[int]


@dataclass(frozen=True)
class PlainCron:
    """Five fields whose meaning is known beforehand."""

    minute: Plain
    hour: Plain
    day: Plain
    month: Plain
    weekday: Plain
    rule: DayRule = DayRule.OR

    @property
    def text(self) -> str:
        return " ".join(f.text for f in (self.minute, self.hour, self.day, self.month, self.weekday))

    @property
    def fixed(self) -> bool:
        return self.minute.text[0] != "*" and self.hour.text[0] != "*"

    def matches(self, local: datetime) -> bool:
        by_date = local.day in self.day.values
        by_weekday = local.isoweekday() % 7 in self.weekday.values
        restricted = self.day.text[0] not in "*?" and self.weekday.text[0] not in "*?"
        day = by_date or by_weekday if restricted and self.rule == DayRule.OR else by_date and by_weekday
        return (
            day
            and local.minute in self.minute.values
            and local.hour in self.hour.values
            and local.month in self.month.values
        )


def local_time(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def ticks(first: datetime, last: datetime, step: timedelta) -> Iterator[datetime]:
    while first <= last:
        yield first
        first += step


def enumerate_occurrences(  # noqa: PLR0917  an oracle's question has many parts
    cron: PlainCron,
    zone: ZoneInfo,
    first: datetime,
    last: datetime,
    gap: DstGap = DstGap.AFTER,
    overlap: DstOverlap = DstOverlap.FIRST,
    step: timedelta = timedelta(minutes=1),
) -> list[datetime]:
    """The occurrences in [first, last], by Debian cron's rule."""
    if not cron.fixed:
        return [at for at in ticks(first, last, step) if cron.matches(local_time(at, zone))]
    found: set[datetime] = set()
    for wall in ticks(first.replace(tzinfo=None) - 2 * WIDEST, last.replace(tzinfo=None) + WIDEST, step):
        if cron.matches(wall):
            passes = instants_of(wall, zone)
            if not passes and gap == DstGap.AFTER:
                found.add(end_of_gap(wall, zone, step))
            elif len(passes) > 1 and overlap != DstOverlap.BOTH:
                found.add(passes[0] if overlap == DstOverlap.FIRST else passes[-1])
            else:
                found.update(passes)
    return sorted(at for at in found if first <= at <= last)


def instants_of(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """The instants at which the zone's clock shows that time: one, two in an overlap, none in a gap."""
    around = [wall.replace(tzinfo=UTC) + shift for shift in (-WIDEST, WIDEST)]
    offsets = {local_time(at, zone) - at.replace(tzinfo=None) for at in around}
    passes = {(wall - offset).replace(tzinfo=UTC) for offset in offsets}
    return sorted(at for at in passes if local_time(at, zone) == wall)


def end_of_gap(wall: datetime, zone: ZoneInfo, step: timedelta) -> datetime:
    """The first instant at which the clock shows a later time than one that it never shows."""
    start = wall.replace(tzinfo=UTC)
    return next(at for at in ticks(start - WIDEST, start + WIDEST, step) if local_time(at, zone) > wall)


# What follows draws texts along with their meaning.


def _number(value: int) -> tuple[str, set[int]]:
    return str(value), {value}


def _terms(low: int, high: int) -> st.SearchStrategy[tuple[str, set[int]]]:
    numbers = st.integers(low, high)
    size = high - low + 1

    def span(start: int, end: int) -> list[int]:
        length = (end - start) % size + 1
        return [low + (start - low + i) % size for i in range(length)]

    def ranged(start: int, end: int, step: int) -> tuple[str, set[int]]:
        values = span(start, end)
        step = min(step, max(len(values) - 1, 1))
        return f"{start}-{end}" + (f"/{step}" if step > 1 else ""), set(values[::step])

    def stepped(start: int, step: int) -> tuple[str, set[int]]:
        step = min(step, max(high - start, 1))
        return f"{start}/{step}", set(range(start, high + 1, step))

    return st.one_of(
        numbers.map(_number),
        st.builds(ranged, numbers, numbers, st.integers(1, size)),
        st.builds(stepped, numbers, st.integers(1, size)),
    )


def starred(low: int, high: int, step: int) -> Plain:
    return Plain("*" if step == 1 else f"*/{step}", frozenset(range(low, high + 1, step)))


def lists(low: int, high: int) -> st.SearchStrategy[Plain]:
    """Any ordinary field in those bounds that does not begin with a star."""

    def listed(terms: list[tuple[str, set[int]]]) -> Plain:
        return Plain(",".join(text for text, _ in terms), frozenset().union(*(values for _, values in terms)))

    return st.lists(_terms(low, high), min_size=1, max_size=3).map(listed)


def fields(low: int, high: int) -> st.SearchStrategy[Plain]:
    """Any ordinary field in those bounds; half of them begin with a star."""
    steps = st.one_of(st.just(1), st.integers(1, high - low))
    return st.booleans().flatmap(
        lambda star: steps.map(lambda step: starred(low, high, step)) if star else lists(low, high)
    )


WEEKDAYS = st.one_of(
    st.just(Plain("*", frozenset(range(7)))),
    st.just(Plain("?", frozenset(range(7)))),
    st.sets(st.integers(0, 6), min_size=1).map(lambda days: Plain(",".join(map(str, sorted(days))), frozenset(days))),
    st.sampled_from(
        [
            Plain("MON-FRI", frozenset({1, 2, 3, 4, 5})),
            Plain("fri-Mon", frozenset({5, 6, 0, 1})),
            Plain("5-7", frozenset({5, 6, 0})),
            Plain("7", frozenset({0})),
            Plain("FRI-MON/2", frozenset({5, 0})),
            Plain("*/2", frozenset({0, 2, 4, 6})),
            Plain("TUE/2", frozenset({2, 4, 6})),
        ]
    ),
)

CRONS = st.builds(
    PlainCron, fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), WEEKDAYS, st.sampled_from(DayRule)
)
"""Any schedule of ordinary fields."""

EVERY = starred(1, 31, 1), starred(1, 12, 1), starred(0, 6, 1)
EVERY_DAY = tuple(map(st.just, EVERY))


def daily_near(at: datetime, zone: ZoneInfo) -> st.SearchStrategy[PlainCron]:
    """Schedules of every day that are often due near that time of the day."""
    wall = local_time(at - timedelta(hours=2), zone)
    near = [(wall + timedelta(hours=hours)).hour for hours in range(5)]
    hours = st.sets(st.sampled_from(near), min_size=1, max_size=3).map(
        lambda some: Plain(",".join(map(str, sorted(some))), frozenset(some))
    )
    return st.one_of(
        st.builds(PlainCron, lists(0, 59), hours, *EVERY_DAY),
        st.builds(PlainCron, lists(0, 59), st.one_of(hours, lists(0, 23)), *EVERY_DAY),
        st.builds(PlainCron, fields(0, 59), st.one_of(hours, fields(0, 23)), *EVERY_DAY),
    )
