"""What a target answered, as far as it was heard."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import datetime
from http import HTTPStatus

from aiohttp import ClientResponse
from aiohttp.hdrs import RETRY_AFTER

from app.domain.run import Outcome
from app.domain.success import Success
from app.target.failure import Kind, line
from app.target.redaction import Redaction
from app.target.retry_after import retry_after

READ_LIMIT = 64 * 1024
EXCERPT_LIMIT = 2048

# Controls but for tab and newline, format characters that are not seen, line and paragraph separators, and tags.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


class Answer:
    """The status and the beginning of the body; it holds what had come when the call failed, too.

    As much of the body is kept as `success` or the excerpt needs. `calls_back`: to answer 202 is to promise that.
    """

    __slots__ = ("_begin", "_calls_back", "_kept", "_length", "_redaction", "_retry_after", "_status", "_success")

    def __init__(self, success: Success, *, calls_back: bool = False) -> None:
        self._success = success
        self._calls_back = calls_back
        self._kept = READ_LIMIT if success.reads_body else EXCERPT_LIMIT
        self._redaction = Redaction(())
        self._status: int | None = None
        self._retry_after: str | None = None
        self._length = 0
        self._begin = bytearray()

    def hide(self, values: Collection[str]) -> None:
        """What the target was sent, and is to be told to nobody. Before anything is read."""
        if values:
            self._redaction, self._kept = Redaction(values), READ_LIMIT

    async def read(self, response: ClientResponse) -> None:
        """Read to the end, so that the connection can be kept, or to READ_LIMIT: a read of no bytes ends the loop."""
        self._status = response.status
        self._retry_after = response.headers.get(RETRY_AFTER)
        while chunk := await response.content.read(READ_LIMIT - self._length):
            self._length += len(chunk)
            self._begin += chunk[: self._kept - len(self._begin)]

    def outcome(self, failure: str | None, now: datetime) -> Outcome:
        """A status that is no success is the failure, whatever happened to the body behind it; so is a promise."""
        if self._calls_back and self._status == HTTPStatus.ACCEPTED:
            return Outcome(error=None, status_code=self._status, response_excerpt=self._excerpt, accepted=True)
        if self._status is not None and not self._success.covers(self._status):
            failure = f"{Kind.STATUS} {self._status}"
        elif failure is None and (fault := self._success.fault(bytes(self._begin))):
            failure = line(Kind.BODY, f"{fault}, of which the first 64 KiB are read" if self._cut else fault)
        return Outcome(
            error=failure and self._told(failure),
            status_code=self._status,
            response_excerpt=self._excerpt,
            retry_after=retry_after(self._retry_after, now) if failure and self._retry_after else None,
        )

    def _told(self, failure: str) -> str:
        """The kind stays as it is: it decides what comes next."""
        kind, blank, rest = failure.partition(" ")
        return f"{kind}{blank}{self._redaction(rest)}"

    @property
    def _excerpt(self) -> str | None:
        return excerpt(self._begin, self._redaction) if self._redaction else excerpt(self._begin[:EXCERPT_LIMIT])

    @property
    def _cut(self) -> bool:
        return self._length >= READ_LIMIT


def excerpt(begin: bytes | bytearray, redacted: Callable[[str], str] = str) -> str | None:
    """What the ledger keeps of a text that begins so: what would move a cursor or hide a word is written out."""
    text = redacted(begin.decode(errors="replace"))
    if not text.isprintable():  # the search costs more
        text = _UNSEEN.sub(_written_out, text.replace("\r\n", "\n"))
    # A byte that is not UTF-8 has become three, and a character that was cut through one of these.
    return text.encode()[:EXCERPT_LIMIT].decode(errors="ignore") or None


def _written_out(found: re.Match[str]) -> str:
    return found[0].encode("ascii", "backslashreplace").decode() if found[0] > "\x7f" else f"\\x{ord(found[0]):02x}"
