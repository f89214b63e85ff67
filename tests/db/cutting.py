"""A network between us and the database that breaks at the worst moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from urllib.parse import urlsplit


class Network:
    """Everything passes, until it is told to break.

    `cut_next_commit`: the next COMMIT reaches the server, and its answer nobody. `freeze`: nothing that the server says
    arrives any more on the connections that there are, which stay open.
    """

    def __init__(self, url: str) -> None:
        server = urlsplit(url)
        self._server = (server.hostname, server.port)
        self._armed = False
        self._frozen: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self.cuts = 0

    def cut_next_commit(self) -> None:
        self._armed = True

    def freeze(self) -> None:
        self._frozen |= self._open

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def close(self) -> None:
        """Cut every connection that there is."""
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection. Where the server refuses it, the client's is closed too."""
        committing = asyncio.Event()
        self._open.add(writer)
        try:
            upstream, server = await asyncio.open_connection(*self._server)
            with closing(server):
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._questions(reader, server, committing))
                    group.create_task(self._answers(upstream, writer, committing))
        except* OSError:
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _questions(
        self, client: asyncio.StreamReader, server: asyncio.StreamWriter, committing: asyncio.Event
    ) -> None:
        while data := await client.read(65536):
            if self._armed and b"COMMIT" in data:
                self._armed = False
                committing.set()
            server.write(data)
        raise ConnectionResetError

    async def _answers(
        self, server: asyncio.StreamReader, client: asyncio.StreamWriter, committing: asyncio.Event
    ) -> None:
        while data := await server.read(65536):
            if committing.is_set():
                self.cuts += 1
                break
            if client not in self._frozen:
                client.write(data)
        raise ConnectionResetError


@asynccontextmanager
async def network(url: str) -> AsyncIterator[tuple[Network, str]]:
    """The network, and the URL of the database through it. When it ends its connections do."""
    carrier = Network(url)
    listener = await asyncio.start_server(carrier.accept, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    parts = urlsplit(url)
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    async with listener:
        try:
            yield carrier, parts._replace(netloc=f"{user}127.0.0.1:{port}").geturl()
        finally:
            listener.close()
            await carrier.close()
