"""How many messages a target may send for one request."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from aiohttp import ClientError, StreamReader, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage

MOST = 1000
"""An answer, and the interim ones before it: a 102 each 10 s of a call that may take an hour is 360."""

_SWITCHING = 101
_FINAL = 200


class TooManyMessagesError(ClientError):
    """The target sends messages without end."""

    def __init__(self) -> None:
        super().__init__(f"the target sent more than {MOST} messages (1xx) where one answer was asked for")


class BoundedHandler(ResponseHandler):
    """aiohttp keeps what it has parsed, and leaves out interim answers in a loop that lets nothing else have its turn.

    Here they are left out as they come, and the connection ends where there is no end of them.
    """

    _left = MOST

    def set_response_params(self, **params: Any) -> None:  # noqa: ANN401  # they are the parser's
        self._left = MOST
        super().set_response_params(**params)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        self._left -= 1
        if self._left < 0:
            self._end()
        elif data[0].code == _SWITCHING or data[0].code >= _FINAL:
            super().feed_data(data, size)

    def _end(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()
            self.set_exception(TooManyMessagesError())


class BoundedConnector(TCPConnector):
    """aiohttp has no public way to say by which class its connections are read."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # they are the connector's
        super().__init__(**options)
        self._factory = cast("partial[ResponseHandler]", partial(BoundedHandler, loop=self._loop))
