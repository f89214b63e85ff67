"""What holds for any schedule, in any zone, at any time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from app.domain.job import DstGap, DstOverlap
from app.domain.schedule import load_zone, parse, timezones
from tests.unit.domain.schedule.oracle import CRONS, daily_near, enumerate_occurrences

SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)

quick = settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])

zones = st.sampled_from(sorted(timezones()))
gaps, overlaps = st.sampled_from(DstGap), st.sampled_from(DstOverlap)
times = st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))
texts = st.one_of(
    CRONS.map(lambda cron: cron.text),
    CRONS.map(lambda cron: f"7/20 {cron.text}"),
    CRONS.map(lambda cron: f"* {cron.text} 2020-2060/3"),
    CRONS.map(lambda cron: f"{cron.minute.text} {cron.hour.text} L-2,15W {cron.month.text} FRI#L,TUE#5"),
    CRONS.map(lambda cron: f"H {cron.hour.text} H {cron.month.text} {cron.weekday.text}"),
    st.integers(1, 10**7).map(lambda seconds: f"@every {seconds}s"),
    times.map(lambda t: f"@at {t.isoformat()}"),
    st.just("@manual"),
)


@quick
@given(texts, zones, gaps, overlaps, times)
def test_occurrences_go_forward_and_are_in_utc(
    text: str, zone: str, gap: DstGap, overlap: DstOverlap, t: datetime
) -> None:
    schedule = parse(text, zone, name="job", dst_gap=gap, dst_overlap=overlap)
    for _ in range(20):
        found = schedule.next_after(t)
        if found is None:
            break
        assert found > t
        assert found.tzinfo is UTC
        t = found


@quick
@given(texts, zones, gaps, overlaps, times)
def test_looking_back_is_the_inverse_of_looking_forward(
    text: str, zone: str, gap: DstGap, overlap: DstOverlap, t: datetime
) -> None:
    schedule = parse(text, zone, name="job", dst_gap=gap, dst_overlap=overlap)
    found = schedule.next_after(t)
    assume(found is not None)
    assert found is not None
    assert schedule.previous_before(found + MICROSECOND) == found
    before = schedule.previous_before(found)
    assert before is None or before <= t
    if before is not None:
        assert schedule.next_after(before) == found
        assert schedule.next_after(before - MICROSECOND) == before


@quick
@given(texts, zones, gaps, overlaps, times, st.integers(0, 40))
def test_a_count_is_the_number_of_steps(  # noqa: PLR0917  each argument is drawn
    text: str, zone: str, gap: DstGap, overlap: DstOverlap, t: datetime, steps: int
) -> None:
    schedule = parse(text, zone, name="job", dst_gap=gap, dst_overlap=overlap)
    last, done = t, 0
    while done < steps and (found := schedule.next_after(last)) is not None:
        last, done = found, done + 1
    assert schedule.count_between(t, last) == done
    assert schedule.count_between(t, last - MICROSECOND) == max(done - 1, 0)
    assert schedule.count_between(last, t) == 0


@quick
@given(texts, zones, gaps, overlaps, st.lists(times, min_size=3, max_size=3))
def test_counts_add_up(text: str, zone: str, gap: DstGap, overlap: DstOverlap, at: list[datetime]) -> None:
    first, middle, last = sorted(at)
    schedule = parse(text, zone, name="job", dst_gap=gap, dst_overlap=overlap)

    whole = schedule.count_between(first, last)

    assert whole == schedule.count_between(first, middle) + schedule.count_between(middle, last)


CHANGES = {
    "Europe/Berlin": [datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 1)],
    "Europe/Dublin": [datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 1)],
    "America/New_York": [datetime(2026, 3, 8, 7), datetime(2026, 11, 1, 6)],
    "America/St_Johns": [datetime(2010, 3, 14, 3, 31), datetime(2010, 11, 7, 2, 31)],
    "America/Havana": [datetime(2025, 3, 9, 5), datetime(2025, 11, 2, 5)],
    "Asia/Beirut": [datetime(2026, 3, 28, 22), datetime(2026, 10, 24, 21)],
    "Australia/Lord_Howe": [datetime(2026, 4, 4, 15), datetime(2026, 10, 3, 15, 30)],
    "Pacific/Apia": [datetime(2011, 12, 30, 10), datetime(2012, 3, 31, 14)],
    "Pacific/Chatham": [datetime(2026, 4, 4, 14), datetime(2026, 9, 26, 14)],
    "America/Nuuk": [datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 1)],
}


@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([(zone, at) for zone, times in CHANGES.items() for at in times]), gaps, overlaps, st.data())
def test_occurrences_around_changes_of_the_clock_are_those_of_the_oracle(
    change: tuple[str, datetime], gap: DstGap, overlap: DstOverlap, data: st.DataObject
) -> None:
    zone, centre = change[0], change[1].replace(tzinfo=UTC)
    cron = data.draw(st.one_of(daily_near(centre, load_zone(zone)), CRONS))
    first, last = centre - timedelta(hours=30), centre + timedelta(hours=30)
    expected = enumerate_occurrences(cron, load_zone(zone), first, last, gap, overlap)
    schedule = parse(cron.text, zone, day_rule=cron.rule, dst_gap=gap, dst_overlap=overlap)

    forward, back = [], []
    at = first - SECOND
    while (found := schedule.next_after(at)) is not None and found <= last:
        at = found
        forward.append(found)
    at = last + SECOND
    while (found := schedule.previous_before(at)) is not None and found >= first:
        at = found
        back.append(found)

    assert forward == expected
    assert back[::-1] == expected
    assert schedule.count_between(first - SECOND, last) == len(expected)
    assert schedule.count_between(centre - SECOND, last) == sum(at >= centre for at in expected)
