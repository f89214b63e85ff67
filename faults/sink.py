"""A target that notes each call, as a process of its own: `python -m faults.sink`.

`/slow/<milliseconds>` answers late, `/hang` never, `/reset` breaks the connection, `/drip` sends a byte a second; any
other path is answered with 200 at once. It prints its port; when its standard input ends it prints one JSON line a
call, [unix seconds, key, attempt, scheduled for, trigger], and ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

from benchmarks.sink import read_headers

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
DRIP = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"

Note = tuple[float, str, int, str, str]


class Connection(asyncio.Protocol):
    calls: list[Note] = []  # noqa: RUF012  # shared by every connection of the process

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one in all but name
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            headers = read_headers(head)
            length = end + 4 + int(headers.get("content-length", 0))
            if len(self._buffer) < length:
                return
            self._buffer = self._buffer[length:]
            self.calls.append(_note(headers))
            self._answer(head.split(b" ", 2)[1].decode())

    def _answer(self, path: str) -> None:
        kind, _, rest = path[1:].partition("/")
        if kind == "slow":
            asyncio.get_running_loop().call_later(int(rest) / 1000, self._write, ANSWER)
        elif kind == "reset":
            self._transport.abort()
        elif kind == "drip":
            self._transport.write(DRIP)
            self._drip()
        elif kind != "hang":
            self._transport.write(ANSWER)

    def _write(self, answer: bytes) -> None:
        """Its caller may be gone by then."""
        if not self._transport.is_closing():
            self._transport.write(answer)

    def _drip(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b".")
            asyncio.get_running_loop().call_later(1, self._drip)


def _note(headers: dict[str, str]) -> Note:
    scheduled_for, trigger = headers["cronledger-scheduled-for"], headers["cronledger-trigger"]
    return time.time(), headers["idempotency-key"], int(headers["cronledger-attempt"]), scheduled_for, trigger


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    sys.stdout.writelines(json.dumps(call) + "\n" for call in Connection.calls)


if __name__ == "__main__":
    uvloop.run(main())
