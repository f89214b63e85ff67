"""Links of the kernel's own between this machine and a network namespace, each of which can be cut, also one way alone.

A way is cut by the hardware address at its other end: what is sent goes to one that nobody has, and is dropped in
silence. It takes root and iproute2.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_NOBODY = "02:00:00:00:00:99"


class Link:
    """`address` is that of the far end, in the namespace; this machine's is the one before it."""

    def __init__(self, namespace: str, net: str, number: int) -> None:
        self._namespace = namespace
        self._device = f"{namespace}-{number}"
        self._here, self.address = f"{net}.{number}.1", f"{net}.{number}.2"
        _ip("link", "add", self._device, "type", "veth", "peer", "name", self._device, "netns", namespace)
        _ip("address", "add", f"{self._here}/30", "dev", self._device)
        _ip("link", "set", self._device, "up")
        self._there("address", "add", f"{self.address}/30", "dev", self._device)
        self._there("link", "set", self._device, "up")

    def cut(self) -> None:
        """Both ways: the far end has no carrier."""
        self._there("link", "set", self._device, "down")

    def cut_questions(self) -> None:
        """What is sent from here on."""
        _ip("neighbour", "replace", self.address, "lladdr", _NOBODY, "nud", "permanent", "dev", self._device)

    def cut_answers(self) -> None:
        """What is sent from there on."""
        self._there("neighbour", "replace", self._here, "lladdr", _NOBODY, "nud", "permanent", "dev", self._device)

    def mend(self) -> None:
        """Whatever was cut."""
        self._there("link", "set", self._device, "up")
        for ip in (_ip, self._there):
            with suppress(subprocess.CalledProcessError):  # what has gone by itself meanwhile
                ip("neighbour", "flush", "dev", self._device, "nud", "all")

    def _there(self, *arguments: str) -> None:
        _ip("-netns", self._namespace, *arguments)


@contextmanager
def links(count: int) -> Iterator[tuple[list[str], list[Link]]]:
    """The words before a command that is to run in the namespace at the far end, and the links to there.

    Their addresses are of the network for benchmarks (RFC 2544), which nobody else has.
    """
    namespace = f"cl{os.getpid()}"
    net = f"198.{random.choice((18, 19))}"  # noqa: S311 (no secret)
    first = random.randrange(1, 250)  # noqa: S311 (likewise)
    _ip("netns", "add", namespace)
    try:
        yield ["ip", "netns", "exec", namespace], [Link(namespace, net, first + number) for number in range(count)]
    finally:
        _ip("netns", "delete", namespace)  # its ends of the links go with it, and so the links


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
