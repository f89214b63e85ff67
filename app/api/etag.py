"""ETags: `"<version>.<hash of the answer>"`. An edit is bound to the version, so that runs in between harm none."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Protocol

from fastapi import Response
from pydantic import BaseModel

from app.api.dependencies import answer
from app.domain.errors import NotFound, VersionMismatch

_TAG = re.compile(r'(?:W/)?"(?:(?P<version>[0-9]{1,9})\.)?[^"]*"')


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


class Kept(Protocol):
    """What keeps jobs, or calendars."""

    async def get(self, name: str, /) -> _Versioned: ...


def tagged(
    model: BaseModel, version: int, status: int = 200, *, location: str | None = None, if_none_match: str | None = None
) -> Response:
    """What is at this version, with its ETag; 304 to who has it already."""
    response = answer(model, status)
    tag = etag(version, bytes(response.body))
    if is_known(tag, if_none_match):
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    if location is not None:
        response.headers["Location"] = location
    return response


def etag(version: int, answer: bytes) -> str:
    return f'"{version}.{blake2b(answer, digest_size=8).hexdigest()}"'


def is_known(tag: str, if_none_match: str | None) -> bool:
    """Whether the caller has this very answer already (RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    known = {match[0].removeprefix("W/") for match in _TAG.finditer(if_none_match)}
    return if_none_match.strip() == "*" or tag in known


async def wanted_version(kept: Kept, name: str, if_match: str | None) -> int | None:
    """The version that it must have, or None where any will do. Raises VersionMismatch (RFC 9110, 13.1.1)."""
    if if_match is None:
        return None
    versions = {int(match["version"]) for match in _TAG.finditer(if_match) if match["version"]}
    if len(versions) == 1:
        return versions.pop()
    current = await _current_version(kept, name)
    if if_match.strip() == "*" or current in versions:
        return current
    raise VersionMismatch(
        f"If-Match names no version that {name} is at.", remedy="Send the ETag that came with it when you read it."
    )


async def _current_version(kept: Kept, name: str) -> int:
    try:
        return (await kept.get(name)).version
    except NotFound as error:
        raise VersionMismatch(f"If-Match asks for {name}, and there is none.") from error
