from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.target.retry_after import LONGEST, retry_after

NOW = datetime(1994, 11, 6, 8, 48, 37, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", timedelta(0)),
        ("60", MINUTE),
        (" 60 ", MINUTE),
        ("Sun, 06 Nov 1994 08:49:37 GMT", MINUTE),
        ("Sunday, 06-Nov-94 08:49:37 GMT", MINUTE),
        ("Sun Nov  6 08:49:37 1994", MINUTE),
        ("Sun, 06 Nov 1994 08:00:00 GMT", timedelta(0)),
        ("999999999", LONGEST),
        ("Sun, 06 Nov 2094 08:49:37 GMT", LONGEST),
    ],
)
def test_seconds_and_dates_are_read(value: str, wait: timedelta) -> None:
    assert retry_after(value, NOW) == wait


@pytest.mark.parametrize(
    "value", ["", "soon", "-1", "1.5", "1e3", "60, 120", "²", "\u0661", "9" * 5000, "Sun, 99 Nov 1994 08:49:37 GMT"]
)
def test_anything_else_is_no_wait_that_anybody_asked_for(value: str) -> None:
    assert retry_after(value, NOW) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} [+-][0-9]{4}"))
def test_whatever_a_target_writes_is_none_or_within_bounds(value: str) -> None:
    wait = retry_after(value, NOW)
    assert wait is None or timedelta(0) <= wait <= LONGEST
