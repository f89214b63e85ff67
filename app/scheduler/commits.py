"""Transactions that start runs. While one is under way, the ledger may have starts that are not known here yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Commits:
    """`on_doubt` is called when one ended in an error: it may have been committed all the same."""

    def __init__(self, on_doubt: Callable[[], None]) -> None:
        self._on_doubt = on_doubt
        self._under_way: set[asyncio.Event] = set()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Around a transaction. What it started must be launched before anything else is awaited."""
        ended = asyncio.Event()
        self._under_way.add(ended)
        try:
            yield
        except BaseException:
            self._on_doubt()
            raise
        finally:
            self._under_way.remove(ended)
            ended.set()

    async def ended(self) -> None:
        """Wait for those that are under way now; others may have begun by then."""
        for ended in list(self._under_way):
            await ended.wait()
