"""A name server of the tests' own, which says something else each time it is asked."""

from __future__ import annotations

from collections import Counter

from aiohttp.abc import AbstractResolver, ResolveResult


class Names(AbstractResolver):
    """Each name has its answers in order; the last one stands. `asked` counts the lookups."""

    def __init__(self, **names: list[list[str]]) -> None:
        self._names = names
        self.asked: Counter[str] = Counter()

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        name = host.removesuffix(".").partition(".")[0]
        answers = self._names[name]
        found = answers[min(self.asked[name], len(answers) - 1)]
        self.asked[name] += 1
        return [ResolveResult(hostname=host, host=ip, port=port, family=family, proto=0, flags=0) for ip in found]

    async def close(self) -> None: ...
