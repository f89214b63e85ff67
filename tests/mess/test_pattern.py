from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.mess.clock import Clock
from tests.mess.moments import Moment, Moments, instant
from tests.mess.pattern import Pattern
from tests.mess.target import Call

RUN = "01a17064-8bc0-831c-8d11-1a47593c7001"


class Still(Clock):
    def __init__(self) -> None:
        """No library is needed."""

    def now(self) -> datetime:
        return datetime(2037, 10, 25, tzinfo=UTC)


def pattern(text: str) -> Pattern:
    plan = instant("00:40:10")
    up = Moment(plan, plan + timedelta(seconds=1), plan + timedelta(seconds=5))
    return Pattern(text, Moments(Still(), {"up": up}), [Call("skip", instant("00:10"), RUN, 1)])


@pytest.mark.parametrize(
    ("text", "right", "wrong"),
    [
        ("on time, {ms} after", "on time, 999 ms after", "on time, 1 s after"),
        ("took {moment}.", "took 9.9 s.", "took 10 s."),
        ("at {00:10}", "at 2037-10-25T00:10:00Z", "at 2037-10-25T00:10:02Z"),
        ("since {up}", "since 2037-10-25T00:40:15Z", "since 2037-10-25T00:40:17Z"),
        ("since {up}", "since 2037-10-25T00:40:10Z", "since 2037-10-25T00:40:09Z"),
        ("{00:39 to up} late", "1 min 15 s late", "1 min 17 s late"),
        ("run {run skip 00:10}", f"run {RUN}", f"run {RUN[:-1]}2"),
        ("run {run queue 00:10}", "", f"run {RUN}"),
        ("status 200.", "status 200.", "status 2000"),
    ],
)
def test_a_blank_holds_what_was_seen_and_nothing_else(text: str, right: str, wrong: str) -> None:
    assert not right or pattern(text).fits(right)
    assert not pattern(text).fits(wrong)


def test_the_document_has_what_was_meant() -> None:
    written = pattern("{run skip 00:10} at {up}, {00:39 to up}, {ms}").plain
    assert written == "<skip 00:10> at 2037-10-25T00:40:10Z, 1 min 10 s, a few ms"


def test_the_clock_goes_on_from_where_it_was_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.mess.clock._find_library", lambda: Path("libfaketime.so.1"))
    clock = Clock(tmp_path, instant("23:50"))
    clock.put_on(instant("00:10"))
    assert instant("00:10") <= clock.now() < instant("00:10:30")
    assert float((tmp_path / "offset").read_text()) == pytest.approx(clock.offset, abs=1e-5)
