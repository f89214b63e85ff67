"""What others send may get into a log, and moves no cursor there."""

from __future__ import annotations

import logging

import pytest

from app.logs import configure_logs, formatter

SENT = "a\nfake line\x1b[2J\x07\x9b31m\u202e"


@pytest.mark.parametrize("to_people", [True, False])
def test_a_message_of_a_library_is_one_line_that_can_be_read(*, to_people: bool) -> None:
    line = formatter(to_people=to_people).format(logging.makeLogRecord({"msg": SENT, "levelname": "WARNING"}))
    assert line.isprintable()
    assert "fake line" in line


@pytest.mark.parametrize("to_people", [True, False])
def test_so_is_a_value_of_our_own(*, to_people: bool) -> None:
    event = {"event": "run", "error": SENT}
    record = logging.makeLogRecord({"msg": event, "levelname": "WARNING"})
    record.__dict__ |= {"_logger": None, "_name": "warning", "_from_structlog": True}
    line = formatter(to_people=to_people).format(record)
    assert line.isprintable()
    assert "fake line" in line


def test_statements_with_their_values_are_not_told() -> None:
    """Nor by the driver of SQLite, whatever the level is."""
    root = logging.getLogger()
    before = root.handlers, root.level
    try:
        configure_logs("debug", "json")
        assert not logging.getLogger("aiosqlite").isEnabledFor(logging.DEBUG)
    finally:
        root.handlers, root.level = before
