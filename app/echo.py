"""A small target that prints each call it gets, so that a newcomer has something to call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web

from app.domain.clock import Clock, SystemClock

_ABSENT = "-"
_FACTS = ("Job", "Scheduled-For", "Attempt")


async def serve_echo(
    host: str,
    port: int,
    write: Callable[[str], None],
    ready: Callable[[int], None],
    clock: Clock | None = None,
) -> None:
    """Serve until cancelled; `ready` gets the port in use, `write` a line a call.

    Raises OSError where it can't listen.
    """
    runner = web.AppRunner(_application(write, clock or SystemClock()), access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        ready(runner.addresses[0][1])
        await asyncio.get_running_loop().create_future()
    finally:
        await runner.cleanup()


def _application(write: Callable[[str], None], clock: Clock) -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        received = clock.now()
        write(_line(request, received))
        return web.json_response({"received": _instant(received), "run_id": request.headers.get("Idempotency-Key")})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    return application


def _line(request: web.Request, received: datetime) -> str:
    said = {name: _printable(request.headers.get(f"Cronledger-{name}", _ABSENT)) for name in _FACTS}
    facts = " ".join(f"{name.lower()}={value}" for name, value in said.items())
    lag = _lag(said["Scheduled-For"], received)
    return f"{_instant(received)} {request.method} {request.raw_path} {facts} lag={lag}"


def _lag(scheduled_for: str, received: datetime) -> str:
    try:
        late = received - datetime.fromisoformat(scheduled_for)
    except (TypeError, ValueError):
        return _ABSENT
    return f"{late.total_seconds() * 1000:.0f}ms"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _printable(text: str) -> str:
    # A stranger's header may hold what moves the terminal's cursor.
    return "".join(letter if letter.isprintable() else "?" for letter in text)
