"""When a call got through its stages, as aiohttp tells while it makes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace

from aiohttp import ClientSession, TraceConfig

from app.domain.attempt import Timing


class CallTimes:
    """Of one call, whose requests carry it as their `trace_request_ctx`; of several, the last. `now` counts seconds."""

    __slots__ = ("_now", "_since", "timing")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._since = now()
        self.timing = Timing()

    def redirected(self) -> None:
        self._since, self.timing = self._now(), Timing()

    def resolved(self) -> None:
        self.timing = Timing(dns=self._stage())

    def connected(self) -> None:
        self.timing = Timing(self.timing.dns, self._stage())

    def answered(self) -> None:
        self.timing = Timing(self.timing.dns, self.timing.connect, self._stage())

    def _stage(self) -> float:
        """How long this stage took; the next one begins."""
        took, self._since = self._now() - self._since, self._now()
        return took


def tracing() -> TraceConfig:
    config = TraceConfig()
    config.on_dns_resolvehost_end.append(_on(CallTimes.resolved))
    config.on_connection_create_end.append(_on(CallTimes.connected))
    config.on_request_end.append(_on(CallTimes.answered))
    return config


def _on(stage: Callable[[CallTimes], None]) -> Callable[[ClientSession, SimpleNamespace, object], Awaitable[None]]:
    async def reached(_session: ClientSession, context: SimpleNamespace, _facts: object) -> None:
        stage(context.trace_request_ctx)

    return reached
