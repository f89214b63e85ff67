from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.domain.explanation.words import joined, lasting, named_runs, nobody, retold, times, told
from app.domain.presence import Outage

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
RUN = UUID("01a21062-1c40-8f1e-9a0b-1c2d3e4f5a6b")


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ({"microseconds": 999}, "0 ms"),
        ({"milliseconds": 12}, "12 ms"),
        ({"seconds": 1}, "1 s"),
        ({"seconds": 4.21}, "4.2 s"),
        ({"seconds": 59.99}, "60 s"),
        ({"seconds": 60}, "1 min"),
        ({"seconds": 250.9}, "4 min 10 s"),
        ({"hours": 2, "seconds": 5}, "2 h"),
        ({"hours": 2, "minutes": 3}, "2 h 3 min"),
        ({"days": 3, "hours": 4, "minutes": 59}, "3 d 4 h"),
        ({"days": 400}, "400 d"),
    ],
)
def test_a_time_has_two_units_at_most(time: dict[str, float], words: str) -> None:
    assert lasting(timedelta(**time)) == words


def test_instants_are_told_in_utc_to_the_second() -> None:
    assert told(datetime.fromisoformat("2027-03-01T13:00:59.999+01:00")) == "2027-03-01T12:00:59Z"


def test_clauses_and_numbers() -> None:
    assert (joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"])) == ("a", "a, and b", "a, b, and c")
    assert (times(1), times(2), times(3)) == ("once", "twice", "3 times")


def test_a_reason_is_told_in_the_past_tense() -> None:
    assert retold(f"run {RUN} is active", {}) == f"run {RUN} was active"
    assert retold("1 runs wait already", {}) == "one run waited already"
    assert retold("11 runs wait already", {}) == "11 runs waited already"
    assert named_runs(f"overlap: run {RUN} took over") == [RUN]
    assert named_runs(None) == []


def test_an_outage_may_be_without_an_end() -> None:
    end = NOON + timedelta(minutes=1)
    assert nobody(Outage(NOON, end)) == "no replica was alive from 2027-03-01T12:00:00Z to 2027-03-01T12:01:00Z"
    assert nobody(Outage(None, end)) == "no replica is on record before 2027-03-01T12:01:00Z"
    assert nobody(Outage(NOON, None)) == "no replica is alive since 2027-03-01T12:00:00Z"
    assert nobody(Outage(None, None)) == "no replica is alive"
