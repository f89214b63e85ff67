"""Whose word is taken for a target's certificate."""

from __future__ import annotations

import ssl


def trusting(bundle: str) -> ssl.SSLContext:
    """Trust these certificate authorities, a PEM file, and not the system's. Raises ValueError."""
    try:
        context = ssl.create_default_context(cafile=bundle)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ValueError(f"{bundle!r} can't be read as certificates in PEM: {error}") from None
    context.set_alpn_protocols(["http/1.1"])
    return context
