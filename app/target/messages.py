"""One answer to a request, and a bounded number of interim ones before it."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any, cast

from aiohttp import ClientError, StreamReader, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage

MOST = 1000
"""Interim answers: a 102 each 10 s of a call that may take an hour is 360."""


class TooManyMessagesError(ClientError):
    """The target sends interim answers without end, or more than was asked for."""

    def __init__(self) -> None:
        super().__init__(f"the target sent {MOST} interim answers (1xx), and goes on")


class BoundedHandler(ResponseHandler):
    """aiohttp keeps what it has parsed, and leaves out interim answers in a loop that lets nothing else have its turn.

    Here they are left out as they come, and the connection ends where there is no end of them. So it does with a
    message behind the answer, which would be taken for the answer to the next request.
    """

    _left = MOST
    _answered = False

    def set_response_params(self, **params: Any) -> None:  # noqa: ANN401  # they are the parser's
        self._left, self._answered = MOST, False
        super().set_response_params(**params)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        interim = _is_interim(data[0].code)
        if self._answered or (interim and not self._left):
            self._end()
        elif interim:
            self._left -= 1
        else:
            self._answered = True
            super().feed_data(data, size)

    def _end(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()
            self.set_exception(TooManyMessagesError())


def _is_interim(status: int) -> bool:
    """RFC 9110, 15.2; a connection that was switched is HTTP no more."""
    return status // 100 == 1 and status != HTTPStatus.SWITCHING_PROTOCOLS


class BoundedConnector(TCPConnector):
    """aiohttp has no public way to say by which class its connections are read."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # they are the connector's
        super().__init__(**options)
        self._factory = cast("partial[ResponseHandler]", partial(BoundedHandler, loop=self._loop))
