"""The load balancer of the deployment (deploy/nginx.conf) as a process on loopback."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.process import Process, free_port, unprivileged_user

CONFIG = Path(__file__).parents[2] / "deploy" / "nginx.conf"


@contextmanager
def running_nginx(upstream_ports: Sequence[int]) -> Iterator[str]:
    """The URL of an nginx in front of these ports, run as an unprivileged user."""
    binary = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    assert binary, "nginx is not on this machine. On Debian and Ubuntu: apt-get install nginx-light"
    folder = Path(tempfile.mkdtemp(prefix="cronledger-nginx-"))
    try:
        port, user = free_port(), unprivileged_user()
        (folder / "nginx.conf").write_text(render(folder, port, upstream_ports))
        if user is not None:
            os.chown(folder, user, user)
        argv = [binary, "-e", "stderr", "-p", f"{folder}", "-c", f"{folder}/nginx.conf", "-g", "daemon off;"]
        process = Process(argv, cwd=folder, user=user)
        try:
            process.wait_for_line("start worker process ")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stop(signal.SIGTERM)
    finally:
        shutil.rmtree(folder)


def render(folder: Path, port: int, upstream_ports: Sequence[int]) -> str:
    """The deployed configuration with other addresses, and its files in this folder."""
    servers = "\n".join(f"server 127.0.0.1:{upstream} max_fails=1 fail_timeout=1s;" for upstream in upstream_ports)
    text = CONFIG.read_text()
    text, replicas = re.subn(r"server \S+:8000 .*;", servers, text)
    text, listens = re.subn(r"listen 8080;", f"listen 127.0.0.1:{port};", text)
    assert (replicas, listens) == (1, 1), f"{CONFIG} has changed in a way that render() does not know"
    return text.replace("/tmp/", f"{folder}/")  # noqa: S108 (what stands in the container's configuration)
