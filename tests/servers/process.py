"""A program run for a test: its output is read as it comes, so that a line of it can be waited for."""

from __future__ import annotations

import os
import pwd
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class Process:
    """`user` is the id of the user and group to run as; it takes root to name one."""

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, user: int | None = None
    ) -> None:
        self._name = argv[0]
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._closed = False
        self._popen = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def output(self) -> str:
        with self._changed:
            return "".join(self._lines)

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def wait_for_line(self, text: str, *, timeout: float = 15) -> str:
        """The first line that holds the text. Raises AssertionError when the program ends first, or the time is up."""

        def found() -> str | None:
            return next((line for line in self._lines if text in line), None)

        with self._changed:
            self._changed.wait_for(lambda: self._closed or found() is not None, timeout)
            line = found()
        if line is None:
            raise self.failure(f"did not print {text!r} within {timeout:g} s")
        return line

    def wait_for_output(self, *, timeout: float) -> None:
        """Return at the next line, at the end of the program, or when the time is up."""
        with self._changed:
            before = len(self._lines)
            self._changed.wait_for(lambda: self._closed or len(self._lines) > before, timeout)

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def wait(self, *, timeout: float = 15) -> int:
        """The exit status, as subprocess tells it. Raises AssertionError when the program goes on."""
        try:
            status = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self.failure(f"was still running after {timeout:g} s") from None
        self._reader.join(timeout)
        return status

    def stop(self, number: signal.Signals = signal.SIGTERM, *, timeout: float = 15) -> int:
        """Ask the program to end, and make it end when it does not. Stopping twice does no harm."""
        self.send(number)
        try:
            return self.wait(timeout=timeout)
        finally:
            self.kill()

    def kill(self) -> None:
        self._popen.kill()
        self.wait()

    def failure(self, what: str) -> AssertionError:
        return AssertionError(f"{self._name} (status {self._popen.poll()}) {what}. It printed:\n{self.output}")

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as stdout:
            for line in stdout:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def free_port() -> int:
    """A port that was free just now, below those that the kernel hands out to outgoing connections."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        port = random.randrange(20_000, 32_000)  # noqa: S311 (no secret)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("No port between 20,000 and 32,000 is free on 127.0.0.1.")


def unprivileged_user() -> int | None:
    """The id of a user for the servers that refuse to run as root; None for who is not root."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
