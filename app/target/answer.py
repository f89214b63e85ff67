"""What a target answered, as far as it was heard."""

from __future__ import annotations

from aiohttp import ClientResponse

from app.domain.run import Outcome
from app.target.failure import Kind

READ_LIMIT = 64 * 1024
EXCERPT_LIMIT = 2048

_SUCCESS = range(200, 300)


class Answer:
    """The status and the beginning of the body; it holds what had come when the call failed, too."""

    __slots__ = ("_begin", "_status")

    def __init__(self) -> None:
        self._status: int | None = None
        self._begin = bytearray()

    async def read(self, response: ClientResponse) -> None:
        """Read to the end, so that the connection can be kept, or to READ_LIMIT: a read of no bytes ends the loop."""
        self._status = response.status
        length = 0
        while chunk := await response.content.read(READ_LIMIT - length):
            length += len(chunk)
            self._begin += chunk[: EXCERPT_LIMIT - len(self._begin)]

    def outcome(self, failure: str | None) -> Outcome:
        """A status that is not 2xx is the failure, whatever happened to the body behind it."""
        if self._status is not None and self._status not in _SUCCESS:
            failure = f"{Kind.STATUS} {self._status}"
        return Outcome(error=failure, status_code=self._status, response_excerpt=_excerpt(self._begin))


def _excerpt(begin: bytearray) -> str | None:
    text = begin.decode(errors="replace").replace("\0", "")
    # A byte that is not UTF-8 has become three, and a character that was cut through one of these.
    return text.encode()[:EXCERPT_LIMIT].decode(errors="ignore") or None
