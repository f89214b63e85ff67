"""PgBouncer in transaction mode, in front of a PostgreSQL of the tests."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.process import Process, free_port, unprivileged_user

CONFIG = """
[databases]
* = host=127.0.0.1 port={server} user=postgres pool_size={pool}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
pool_mode = transaction
auth_type = any
max_client_conn = 500
"""
"""As it comes, but for the mode: no startup parameter is ignored, and none is tracked."""


@contextmanager
def running_pgbouncer(database_url: str, pool: int) -> Iterator[str]:
    """The URL of the same database behind a PgBouncer with so many sessions."""
    binary = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    assert binary, "pgbouncer is not on this machine. On Debian and Ubuntu: apt-get install pgbouncer"
    folder = Path(tempfile.mkdtemp(prefix="cronledger-pgbouncer-"))
    try:
        port, user, address = free_port(), unprivileged_user(), urlsplit(database_url)
        (folder / "pgbouncer.ini").write_text(CONFIG.format(server=address.port, port=port, pool=pool))
        if user is not None:
            os.chown(folder, user, user)
        process = Process([binary, f"{folder}/pgbouncer.ini"], cwd=folder, user=user)
        try:
            process.wait_for_line("process up")
            yield address._replace(netloc=f"postgres@127.0.0.1:{port}", query="pgbouncer=true").geturl()
        finally:
            process.stop(signal.SIGINT)
    finally:
        shutil.rmtree(folder)
