"""Whatever is thrown at it: a schedule or a refusal, and soon."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.errors import InvalidInput
from app.domain.schedule import Schedule, parse, warnings_for

NOW = datetime(2026, 5, 5, tzinfo=UTC)
PIECES = st.sampled_from(
    [
        *"*?/-,#LWHR019.:TZ+=('\"\\s\x00\né",
        *("LW", "H( )", "12", "31", "59", "60", "99", "2026", "MON", "FRI", "SUN", "JAN", "DEC", "1h", "30m"),
        *("@every", "@at", "@manual", "@daily", "TZ=", "UTC", "Europe/Berlin", "2027-01-01T00:00:00Z"),
    ]
)
SOUP = st.lists(st.one_of(PIECES, st.just(" ")), max_size=40).map("".join)
FIELDS = st.lists(st.lists(PIECES, min_size=1, max_size=4).map("".join), min_size=5, max_size=7).map(" ".join)
LONG = st.tuples(PIECES, st.integers(1, 600)).map(lambda piece: piece[0] * piece[1] + " * * * *")
TEXTS = st.one_of(st.text(max_size=1100), SOUP, FIELDS, LONG)
ZONES = st.one_of(st.none(), st.text(max_size=30))

few = settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))


def schedule_or_refusal(text: str, zone: str | None) -> Schedule | InvalidInput:
    try:
        return parse(text, zone, name="job")
    except InvalidInput as refusal:
        return refusal


def is_schedule_or_refusal(text: str, zone: str | None) -> None:
    start = time.process_time()
    read = schedule_or_refusal(text, zone)
    if isinstance(read, InvalidInput):
        assert read.field in {"schedule", "timezone"}
        assert read.remedy
        assert len(str(read)) < 400
    else:
        following = read.next_after(NOW)
        assert following is None or following > NOW
        assert read.describe()
        assert isinstance(warnings_for(read, NOW, [following] if following else []), list)
    assert time.process_time() - start < 2


@few
@given(TEXTS, ZONES)
def test_any_text_is_a_schedule_or_a_refusal(text: str, zone: str | None) -> None:
    is_schedule_or_refusal(text, zone)


def test_the_longest_lists_are_read_in_milliseconds() -> None:
    lists = [
        ",".join(["0-59"] * 200),
        ",".join(["*"] * 500),
        ",".join(str(i % 60) for i in range(350)),
        ",".join(["50-40/3"] * 120),
        ",".join(["H/7"] * 250),
    ]
    for text in lists:
        start = time.process_time()
        parse(f"{text} * * * *", name="job")
        assert time.process_time() - start < 0.1
