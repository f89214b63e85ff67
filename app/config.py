"""Settings, each read from the environment as CRONLEDGER_<NAME>."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Literal, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.api.intake import Intake
from app.db.engine import check_url
from app.domain.access import is_local
from app.domain.api_key import is_possible
from app.identity.trust import Trust, check_place, read_algorithms, read_scopes
from app.target.address import Targets
from app.target.proxy import read_proxy
from app.target.reach import Reach
from app.target.rule import read_rules
from app.target.signature import read_signing_keys
from app.target.tls import trusting
from app.vault.sealer import read_keys

_EVERY_ADDRESS = {"", "0.0.0.0", "::"}  # noqa: S104  # compared, not bound


def _read_bundle(text: str) -> None:
    if text:
        trusting(text)


def _read_key(text: str) -> None:
    if text and not is_possible(text):
        raise ValueError("it is no key: use what `cronledger keys new` prints, or 32 to 255 visible ASCII characters")


_READERS: dict[str, Callable[[str], object]] = {
    "database_url": check_url,
    "targets_allow": read_rules,
    "targets_deny": read_rules,
    "egress_proxy": read_proxy,
    "secret_keys": read_keys,
    "signing_keys": read_signing_keys,
    "ca_bundle": _read_bundle,
    "bootstrap_key": _read_key,
    "jwt_keys": check_place,
    "jwt_algorithms": read_algorithms,
    "jwt_scopes": read_scopes,
}
"""What each of these settings must pass, which raises ValueError."""


class Settings(BaseSettings):
    """What an operator may set; the table in the README is made from these fields."""

    model_config = SettingsConfigDict(env_prefix="CRONLEDGER_", extra="ignore", hide_input_in_errors=True)

    database_url: str = Field(
        default="sqlite+aiosqlite:///var/cronledger.db",
        description="Where the jobs and the ledger are: postgresql://user:password@host/name, with "
        "`?pgbouncer=true` behind PgBouncer in transaction mode, mariadb://user:password@host/name, or sqlite:///file",
    )
    database_pool: int = Field(default=10, ge=3, description="Connections that one replica keeps to the database")
    redis_url: str = Field(
        default="",
        repr=False,  # it may hold a password
        pattern=r"^((rediss?|unix)://.+)?$",
        description="A Redis by which replicas wake each other: redis://, rediss:// or unix://; it decides nothing",
    )
    redis_prefix: str = Field(
        default="cronledger",
        pattern=r"^[\w.-]+$",
        description="What its keys and channels begin with; services that share a Redis need one each",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?$",
        max_length=1024,
        description="Address under which targets reach the service, for `async_completion`; left out, it is "
        "`http://<host>:<port>`, unless the service listens on every address",
    )
    targets: Literal["listed", "public", "private", "any"] = Field(
        default="public",
        description="Which addresses may be called: what `CRONLEDGER_TARGETS_ALLOW` lists, public ones, private "
        "networks too, or any with loopback. Metadata, link-local and multicast addresses never",
    )
    targets_allow: str = Field(
        default="",
        description="What may be called beyond that: networks and hosts, with ports or without, such as "
        "`10.1.0.0/16:443, *.corp.example`; and the only ports, such as `:443`",
    )
    targets_deny: str = Field(
        default="",
        description="What may not be called, whatever else is said: networks, hosts and ports, such as "
        "`192.0.2.0/24, *.test, :1-79`",
    )
    egress_proxy: str = Field(
        default="",
        repr=False,  # it may hold a password
        description="The HTTP proxy through which all calls go: http://user:password@host:port. It looks names up, and "
        "must itself refuse where they may not lead",
    )
    secret_keys: str = Field(
        default="",
        repr=False,
        description="Keys by which secrets and credentials are encrypted in the database: the first encrypts, all "
        "decrypt. `cronledger secrets new-key` prints one",
    )
    signing_keys: str = Field(
        default="",
        repr=False,
        description="Keys that sign the calls of jobs without `signing` (Standard Webhooks), two while one takes the "
        "other's place. `cronledger secrets new-signing-key` prints one",
    )
    ca_bundle: str = Field(
        default="",
        description="A PEM file of the certificate authorities that are trusted; left out, the system's are",
    )
    concurrency: int = Field(default=200, ge=1, description="Calls under way at once in one replica")
    per_host_concurrency: int = Field(default=50, ge=1, description="Calls under way at once to one host and port")
    lease_seconds: float = Field(
        default=30, ge=1, description="A replica not heard of for so long is dead; its runs go to others"
    )
    takeover_grace_seconds: float = Field(
        default=1, ge=0, le=60, description="How long the others wait for the replica that is to try a job first"
    )
    role: Literal["all", "api", "scheduler"] = Field(
        default="all", description="Serve the API, schedule and call, or both; probes and metrics are always there"
    )
    drain_seconds: float = Field(
        default=25,
        ge=0,
        description="After SIGTERM, how long running calls may go on; keep it below the grace period of the platform",
    )
    catch_up_rate: float = Field(
        default=10, gt=0, le=100_000, description="Runs a second that catch up, over all replicas together"
    )
    poll_seconds: float = Field(
        default=5, gt=0, le=5, description="How often a replica looks for changes that it was not told of"
    )
    compare_seconds: float = Field(
        default=30, gt=0, description="How often a replica compares all jobs with what it remembers"
    )
    event_streams: int = Field(
        default=100, ge=0, description="Streams of `GET /v1/events` that one replica has open at once"
    )
    retention_days: int = Field(
        default=30, ge=1, le=36_500, description="Runs that ended, and what explains them, are kept for so many days"
    )
    auth: Literal["on", "off"] = Field(
        default="on",
        description="Whether callers need an API key; as long as there is none the service listens on loopback alone. "
        "`off` lets everybody do everything",
    )
    bootstrap_key: str = Field(
        default="",
        repr=False,
        description="The first API key, which may do everything; it is made where there has never been one. "
        "`cronledger keys new` prints one",
    )
    jwt_issuer: str = Field(
        default="", description="The identity provider whose tokens (JWT) count beside API keys, as their `iss` says it"
    )
    jwt_audience: str = Field(default="", description="What their `aud` must name; needed with an issuer")
    jwt_keys: str = Field(
        default="",
        repr=False,  # it may hold a password
        description="Where its public keys are: the URL of a JWKS, or a file; needed with an issuer",
    )
    jwt_algorithms: str = Field(default="RS256 ES256", description="By which algorithms they may be signed")
    jwt_scope_claim: str = Field(
        default="scope", description="The claim that says what they allow; `realm_access.roles` reaches into objects"
    )
    jwt_scopes: str = Field(
        default="",
        description="What its values allow, such as `platform=admin dev=jobs:read,jobs:write`; left out, they are "
        "scopes themselves",
    )
    jwt_namespace_claim: str = Field(
        default="",
        description="The claim that names the namespace in which its bearer acts; left out, all act in `default`",
    )
    metrics: Literal["open", "key"] = Field(
        default="open", description="Whether /metrics needs no key, or one with the scope `runs:read`"
    )
    rate_per_address: float = Field(
        default=500, ge=0, description="Requests a second that one address may send to one replica; 0 is any number"
    )
    rate_per_key: float = Field(
        default=300, ge=0, description="Requests a second that one key may send to one replica; 0 is any number"
    )
    cors_origins: str = Field(
        default="",
        description="Origins whose pages may call the API from a browser, such as `https://console.example`; none "
        "unless they are named",
    )
    audit_days: int = Field(default=365, ge=1, le=36_500, description="The audit log is kept for so many days")
    docs_url: str = Field(default="/docs", description="Path of the documentation page")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="What is logged")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="JSON lines or for people; auto is for people on a terminal alone"
    )

    @field_validator(*_READERS)
    @classmethod
    def _can_be_read(cls, text: str, info: ValidationInfo) -> str:
        _READERS[str(info.field_name)](text)
        return text

    @model_validator(mode="after")
    def _trusts_whole(self) -> Settings:
        if self.jwt_issuer and not (self.jwt_audience and self.jwt_keys):
            raise ValueError("CRONLEDGER_JWT_ISSUER needs CRONLEDGER_JWT_AUDIENCE and CRONLEDGER_JWT_KEYS beside it")
        return self

    @property
    def trust(self) -> Trust | None:
        """Which tokens count beside API keys."""
        if not self.jwt_issuer:
            return None
        return Trust(
            issuer=self.jwt_issuer,
            audience=self.jwt_audience,
            algorithms=read_algorithms(self.jwt_algorithms),
            claim=self.jwt_scope_claim,
            scopes=read_scopes(self.jwt_scopes),
            namespace_claim=self.jwt_namespace_claim,
        )

    @property
    def reach(self) -> Reach:
        """How far calls may go."""
        allow, deny = read_rules(self.targets_allow), read_rules(self.targets_deny)
        return Reach(Targets(self.targets), allow, deny, proxied=bool(self.egress_proxy))

    @property
    def intake(self) -> Intake:
        """How much is taken in, and from whom."""
        return Intake(
            metrics_open=self.metrics == "open",
            rate_per_address=self.rate_per_address,
            rate_per_key=self.rate_per_key,
            origins=tuple(self.cors_origins.replace(",", " ").split()),
        )

    @property
    def is_local(self) -> bool:
        """Whether it listens on this machine alone."""
        return is_local(self.host)

    @property
    def kept(self) -> timedelta:
        """For how long runs are kept."""
        return timedelta(days=self.retention_days)

    @property
    def audited(self) -> timedelta:
        """For how long the audit log is kept."""
        return timedelta(days=self.audit_days)

    @property
    def reached_at(self) -> str | None:
        """How targets reach this service, without a slash at the end; None where nobody has said it."""
        if self.public_url:
            return self.public_url.rstrip("/")
        if self.host in _EVERY_ADDRESS or self.port == 0:
            return None
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


def settings_table() -> str:
    """Every setting as a row of Markdown, as the README shows them."""
    lines = ["| variable | default | what |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        choices = ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
        what = f"{field.description} ({choices})" if choices else field.description
        lines.append(f"| `CRONLEDGER_{name.upper()}` | `{field.default}` | {what} |")
    return "\n".join(lines)
