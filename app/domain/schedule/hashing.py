"""`H`: a draw that a job's name decides, the same for ever, so that a thousand hourly jobs spread over the hour."""

from __future__ import annotations

from hashlib import sha256


def draw(name: str, field: str, sides: int) -> int:
    """A number in [0, sides); each field draws on its own."""
    digest = sha256(f"{field}:{name}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8]) % sides
