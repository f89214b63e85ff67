"""By which secrets a job's calls prove who they are."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.api.schemas.fields import JsonBody, SecretRef
from app.domain.auth import Auth
from app.domain.policies import Policies
from app.domain.secret import named
from app.domain.tls import Tls


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BearerAuth(_Part):
    """Calls carry a token (RFC 6750)."""

    type: Literal["bearer"]
    token: SecretRef

    def auth(self) -> Auth:
        return Auth(secret=self.token.secret)


class BasicAuth(_Part):
    """Calls carry a name and a password (RFC 7617)."""

    type: Literal["basic"]
    username: Annotated[str, Field(max_length=255, pattern=r"^[^:\u0000-\u001f\u007f]*$")]
    password: SecretRef

    def auth(self) -> Auth:
        return Auth(secret=self.password.secret, username=self.username)


class TlsFields(_Part):
    """What is asked for, and shown, where the endpoint is https."""

    client_certificate: SecretRef | None = Field(
        default=None, description="A secret that holds a certificate and its key, in PEM; the target may ask for it."
    )
    verify: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="Whether the target's certificate is checked. `false` takes the scope `admin`."
    )

    def tls(self) -> Tls:
        shown = self.client_certificate
        return Tls(client_certificate=None if shown is None else shown.secret, verify=self.verify)


Signing = Annotated[list[SecretRef], Field(max_length=2)]

AuthPatch = Annotated[
    dict[str, JsonBody],
    WithJsonSchema(
        {"anyOf": [{"$ref": "#/components/schemas/BearerAuth"}, {"$ref": "#/components/schemas/BasicAuth"}]}
    ),
]


def credential_values(policies: Policies) -> dict[str, Any]:
    """As the fields of a job."""
    shown = policies.tls.client_certificate
    return {
        "auth": _told(policies.auth),
        "signing": [named(name) for name in policies.signing],
        "tls": {"client_certificate": None if shown is None else named(shown), "verify": policies.tls.verify},
    }


def _told(auth: Auth | None) -> dict[str, Any] | None:
    if auth is None:
        return None
    if auth.username is None:
        return {"type": "bearer", "token": named(auth.secret)}
    return {"type": "basic", "username": auth.username, "password": named(auth.secret)}
