"""How a job's calls say who they are: by a secret, as bearer token or as password."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """`secret` names the token, or with a `username` the password (RFC 6750, RFC 7617)."""

    secret: str
    username: str | None = None

    def header(self, value: str) -> str:
        """The Authorization header, with the secret's value."""
        if self.username is None:
            return f"Bearer {value}"
        return f"Basic {b64encode(f'{self.username}:{value}'.encode()).decode()}"
