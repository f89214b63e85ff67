"""Whatever is tried, nothing of it is unexpected."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nothing_was_unexpected(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    captured = capfd.readouterr()
    assert "Traceback" not in captured.out + captured.err
    assert [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []
