"""What an answer comes to in a few words, so that a table can say what it expects, and what is stored."""

from __future__ import annotations

import time
from typing import Any

from httpx2 import AsyncClient, Response

SECONDS = 15.0
"""In which whatever was sent is answered."""

_KIND = "urn:cronledger:problem:"
_LISTS = ("jobs", "calendars", "limits", "keys", "backfills", "runs", "audit")


async def verdict(client: AsyncClient, method: str, path: str, **sent: Any) -> str:
    """Such as `201`, or `422 invalid-input name` of a problem that names its field."""
    began = time.monotonic()
    answer = await client.request(method, path, **sent)
    took = time.monotonic() - began
    return in_short(answer) if took < SECONDS else f"{in_short(answer)} after {took:.1f} s"


def in_short(answer: Response) -> str:
    """What is no success must be a whole problem (RFC 9457), or else it is told as it is."""
    if answer.status_code < 400 or answer.request.method == "HEAD":
        return str(answer.status_code)
    said = answer.json() if answer.headers["content-type"] == "application/problem+json" else {}
    if said.get("status") != answer.status_code or not (said["title"] and said["detail"] and said["instance"]):
        return f"{answer.status_code} is no problem: {answer.text[:200]}"
    kind = said["type"].removeprefix(_KIND)
    return " ".join([str(answer.status_code), kind, *([said["field"]] if "field" in said else [])])


async def stored(client: AsyncClient) -> dict[str, Any]:
    """All that a request could have changed; the audit log would tell of the rest."""
    found = {each: (await client.get(f"/v1/{each}", params={"limit": 1000})).json()["items"] for each in _LISTS}
    for key in found["keys"]:
        del key["last_used_at"]
    return found
