"""How a job's calls over TLS prove who they are, and whether the target has to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """`client_certificate` names a secret: a certificate with its key, in PEM."""

    client_certificate: str | None = None
    verify: bool = True
