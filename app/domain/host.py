"""Which host a call leads to: calls are counted by it."""

from __future__ import annotations

from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}


def host_and_port(canonical: str) -> str:
    """`host:port` of an endpoint that is in its canonical form."""
    parts = urlsplit(canonical)
    host = parts.netloc.removesuffix(f":{parts.port}").removesuffix(".")
    return f"{host}:{parts.port or PORTS[parts.scheme]}"
