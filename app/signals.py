"""Signals, heard before the server's own handler: it waits for open requests before the lifespan ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType


@contextmanager
def chained(numbers: Sequence[signal.Signals], first: Callable[[], None]) -> Iterator[None]:
    """Call `first`, then whoever handled the signal until now. Only the main thread may; elsewhere nothing happens."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.getsignal(number) for number in numbers}

    def handle(number: int, frame: FrameType | None) -> None:
        first()
        then = previous[signal.Signals(number)]
        if callable(then):
            then(number, frame)

    for number in numbers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
