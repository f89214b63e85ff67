"""A connection of uvicorn that does not wait for ever, and keeps little of what a client sends beside bodies."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1024
FRAMING_BYTES = 256 * 1024
"""What may come beside the body of a message once its head is there: sizes of chunks, and trailers, which are kept."""
HEAD_SECONDS = 10.0
"""From when a connection is made, or a request begins, until its head has been read."""
LINGER_SECONDS = 2.0
"""For so long the rest of a body is read, and thrown away, once the request is answered: so that the answer arrives."""
_PUNCTUATION = 4
"""Bytes of a line of the head beside name and value."""
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class PatientProtocol(HttpToolsProtocol):
    """uvicorn cuts a connection that is idle between two requests, unless any byte comes, and no other one."""

    _waiting: asyncio.TimerHandle | None = None
    _beside = 0
    _head = 0
    _headed = False
    _whole = True
    _answering = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._wait(HEAD_SECONDS)

    def data_received(self, data: bytes) -> None:
        """What was counted of a piece may have been a body: it is known once the piece has been read."""
        if self._beside > (FRAMING_BYTES if self._headed else HEAD_BYTES):
            if self._headed:
                self.transport.close()
            else:
                self._refuse_head()
            return
        self._beside += len(data)
        super().data_received(data)
        if self._waiting is None and not self._answering:
            self._wait(HEAD_SECONDS)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._headed = self._whole = False
        self._head = 0
        self._wait(HEAD_SECONDS)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._head += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._head += 0 if self._headed else len(name) + len(value) + _PUNCTUATION

    def on_headers_complete(self) -> None:
        """Raises ValueError, which is a bad request to uvicorn."""
        self._stop_waiting()
        if self._head > HEAD_BYTES:
            raise ValueError(f"a head of {self._head} bytes")
        self._headed = True
        self._answering += 1
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Where another request is still to be answered, this would be taken for its answer."""
        reading_body = self._headed and not self._whole
        if self._answering > reading_body:
            self.transport.close()
        elif self._head > HEAD_BYTES:
            self._refuse_head()
        else:
            super().send_400_response(msg)

    def on_body(self, body: bytes) -> None:
        self._beside -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._whole, self._beside = True, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._answering -= 1
        if not self._whole:
            self._wait(LINGER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _refuse_head(self) -> None:
        self.transport.write(_TOO_LARGE)
        self.transport.close()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
