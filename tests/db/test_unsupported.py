"""A server that can't be used is refused when it is first spoken to, with what would do."""

from __future__ import annotations

import pytest

from app.db.mariadb_dialect import CronledgerMariaDB
from app.domain.errors import StoreUnavailable, UnsupportedStore


class Server:
    """A connection to a server of this version."""

    def __init__(self, version: str) -> None:
        self._version = version

    def exec_driver_sql(self, statement: str) -> Server:
        assert statement == "SELECT VERSION()"
        return self

    def scalar(self) -> str:
        return self._version


def _found(version: str) -> tuple[int, ...]:
    connection: object = Server(version)
    return CronledgerMariaDB()._get_server_version_info(connection)  # type: ignore[arg-type]  # what it asks of one


@pytest.mark.parametrize("version", ["8.4.3", "9.1.0-commercial", "10.5.27-MariaDB", "5.5.5-10.4.34-MariaDB-log"])
def test_mysql_and_an_old_mariadb_are_refused(version: str) -> None:
    with pytest.raises(UnsupportedStore, match=r"MariaDB 10\.6 or later") as told:
        _found(version)
    assert version in str(told.value)
    assert isinstance(told.value, StoreUnavailable)


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("10.6.21-MariaDB", (10, 6, 21)),
        ("5.5.5-10.11.6-MariaDB-0+deb12u1", (10, 11, 6)),
        ("11.8.2-MariaDB-log", (11, 8, 2)),
    ],
)
def test_mariadb_is_taken(version: str, found: tuple[int, ...]) -> None:
    assert _found(version) == found
