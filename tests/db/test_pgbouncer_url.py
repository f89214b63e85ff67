"""What `?pgbouncer=true` in the database's URL does; the real one is in tests/deploy."""

from __future__ import annotations

import pytest

from app.db.changes import change_feed
from app.db.engine import connect, driver_url
from app.domain.errors import InvalidInput

URL = "postgresql://user@host/name"


def test_the_driver_does_not_see_it() -> None:
    told = driver_url(f"{URL}?pgbouncer=true&sslmode=verify-full")
    assert told.render_as_string() == "postgresql+asyncpg://user@host/name?ssl=verify-full"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (URL, True),
        (f"{URL}?pgbouncer=false", True),
        (f"{URL}?pgbouncer=true", False),
        ("sqlite:///var/cronledger.db", False),
    ],
)
def test_changes_are_told_where_there_are_sessions(url: str, *, told: bool) -> None:
    assert (change_feed(url) is not None) == told


def test_another_value_is_refused() -> None:
    with pytest.raises(InvalidInput, match="pgbouncer=maybe"):
        connect(f"{URL}?pgbouncer=maybe")
