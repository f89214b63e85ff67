"""A target that costs next to nothing: it answers 200 and notes when each call came. Run as a process of its own.

Prints its port; when its standard input ends it prints one JSON line a call, [unix seconds, scheduled for, key], and
ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Connection(asyncio.Protocol):
    calls: list[tuple[float, str, str]] = []  # noqa: RUF012  # shared by every connection of the process

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one in all but name
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            headers = read_headers(self._buffer[:end])
            length = end + 4 + int(headers.get("content-length", 0))
            if len(self._buffer) < length:
                return
            self._buffer = self._buffer[length:]
            self.calls.append((time.time(), headers["cronledger-scheduled-for"], headers["idempotency-key"]))
            self._transport.write(ANSWER)


def read_headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for call in Connection.calls:
        print(json.dumps(call))


if __name__ == "__main__":
    uvloop.run(main())
