"""A proxy that answers CONNECT, and then carries the bytes to that port of 127.0.0.1, whatever host is named."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter


class Tunnel:
    """`asked` keeps the head of each request."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def handle(self, reader: StreamReader, writer: StreamWriter) -> None:
        """One connection, for a server that takes care of closing it."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        there, back = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_carry(reader, back), _carry(there, writer))
        finally:
            back.close()


async def _carry(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
