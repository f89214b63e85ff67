"""How long the stages of a call took."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter

from aiohttp.abc import ResolveResult

from app.domain.attempt import Timing
from app.domain.clock import FakeClock
from app.target.address import Targets
from app.target.caller import HttpTarget
from app.target.reach import Reach
from tests.unit.target.conftest import NOW
from tests.unit.target.servers import Names
from tests.unit.target.types import MakeCall, OpenTarget, Serve


class Stopwatch(FakeClock):
    """Counts the seconds that a test says have passed."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


class SlowNames(Names):
    """A lookup takes two seconds."""

    def __init__(self, clock: Stopwatch, **names: list[str] | OSError | None) -> None:
        super().__init__(**names)
        self._clock = clock

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        self._clock.seconds += 2
        return await super().resolve(host, port, family)


async def test_each_stage_is_told_apart(serve: Serve, make_call: MakeCall) -> None:
    clock = Stopwatch(NOW)

    async def slow(reader: StreamReader, writer: StreamWriter) -> None:
        for _ in range(2):
            await server.read(reader)
            clock.seconds += 3
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server, at = await serve(slow)
    target = HttpTarget(Reach(Targets.ANY), clock, "1.2.3", resolver=SlowNames(clock, one_test=["127.0.0.1"]))
    await target.open()
    url = f"http://one.test:{at.rpartition(':')[2]}/"
    first = await target.call(make_call(url))
    second = await target.call(make_call(url))
    await target.close()
    assert server.connections == 1
    assert first.timing == Timing(dns=2, connect=0, first_byte=3)
    assert second.timing == Timing(first_byte=3)


async def test_the_stages_of_a_redirected_call_are_those_of_its_last_step(serve: Serve, make_call: MakeCall) -> None:
    clock = Stopwatch(NOW)

    async def slow(reader: StreamReader, writer: StreamWriter) -> None:
        await server.read(reader)
        clock.seconds += 3
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server, at = await serve(slow)
    _, first = await serve(f"HTTP/1.1 307 Moved\r\nLocation: http://{at}/\r\nContent-Length: 0\r\n\r\n".encode())
    target = HttpTarget(Reach(Targets.ANY), clock, "1.2.3", resolver=SlowNames(clock, one_test=["127.0.0.1"]))
    await target.open()
    outcome = await target.call(make_call(f"http://one.test:{first.rpartition(':')[2]}/", max_redirects=1))
    await target.close()
    assert outcome.timing == Timing(connect=0, first_byte=3)


async def test_a_stage_that_a_call_did_not_get_through_is_unknown(
    open_target: OpenTarget, serve: Serve, make_call: MakeCall
) -> None:
    async def hanging(reader: StreamReader, _writer: StreamWriter) -> None:
        await server.read(reader)
        await reader.read()

    server, at = await serve(hanging)
    names = Names(lost_test=OSError("no such host"), gone_test=["127.0.0.1"])
    target = await open_target(resolver=names)
    unresolved = await target.call(make_call("http://lost.test/"))
    hung = await target.call(make_call(f"http://{at}/", timeout_seconds=0.05))
    await server.stop()
    refused = await target.call(make_call(f"http://gone.test:{at.rpartition(':')[2]}/"))
    assert unresolved.timing == Timing()
    assert refused.timing == Timing(dns=0)
    assert hung.timing == Timing(connect=0)


async def test_calls_at_once_have_each_their_own_times(serve: Serve, make_call: MakeCall) -> None:
    clock, arrived = Stopwatch(NOW), list[StreamWriter]()

    async def together(reader: StreamReader, writer: StreamWriter) -> None:
        """The first answer goes out a second after both requests have come, the other one two seconds later."""
        await server.read(reader)
        arrived.append(writer)
        if len(arrived) == 1:
            await reader.read()
        else:
            for seconds, each in zip((1, 2), arrived, strict=True):
                clock.seconds += seconds
                each.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await answered.get()

    answered: asyncio.Queue[None] = asyncio.Queue()

    async def call() -> Timing:
        outcome = await target.call(make_call(f"http://{at}/"))
        answered.put_nowait(None)
        return outcome.timing

    server, at = await serve(together)
    target = HttpTarget(Reach(Targets.ANY), clock, "1.2.3")
    await target.open()
    both = await asyncio.gather(call(), call())
    await target.close()
    assert sorted(each.first_byte or 0 for each in both) == [1, 3]
