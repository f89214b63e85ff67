from __future__ import annotations

import asyncmy.errors
import pytest

from tests.servers.mariadb import MariadbServer, execute


async def test_a_database_is_a_copy_of_its_template_and_of_its_own(
    mariadb_server: MariadbServer, mariadb_template: str
) -> None:
    one, other = (mariadb_server.create_database(mariadb_template) for _ in range(2))
    triggers = {row[0] for row in await execute(one, "SHOW TRIGGERS")}
    assert triggers == {row[0] for row in await execute(mariadb_template, "SHOW TRIGGERS")} != set()
    await execute(one, "UPDATE scheduler_switch SET paused = true")
    assert await execute(other, "SELECT paused FROM scheduler_switch") == [(0,)]
    for url in (one, other):
        mariadb_server.drop_database(url)
    with pytest.raises(asyncmy.errors.OperationalError):
        await execute(one, "SELECT 1")
