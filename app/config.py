"""Settings, each read from the environment as CRONLEDGER_<NAME>."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, get_args

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.target.address import Targets
from app.target.proxy import read_proxy
from app.target.reach import Reach
from app.target.rule import read_rules
from app.target.tls import trusting

_EVERY_ADDRESS = {"", "0.0.0.0", "::"}  # noqa: S104  # compared, not bound


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
    docs_url: str = Field(default="/docs", description="Path of the documentation page")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="What is logged")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="JSON lines or for people; auto is for people on a terminal alone"
    )

    @field_validator("targets_allow", "targets_deny")
    @classmethod
    def _are_rules(cls, text: str) -> str:
        read_rules(text)
        return text

    @field_validator("egress_proxy")
    @classmethod
    def _is_proxy(cls, text: str) -> str:
        read_proxy(text)
        return text

    @field_validator("ca_bundle")
    @classmethod
    def _is_bundle(cls, text: str) -> str:
        if text:
            trusting(text)
        return text

    @property
    def reach(self) -> Reach:
        """How far calls may go."""
        allow, deny = read_rules(self.targets_allow), read_rules(self.targets_deny)
        return Reach(Targets(self.targets), allow, deny, proxied=bool(self.egress_proxy))

    @property
    def kept(self) -> timedelta:
        """For how long runs are kept."""
        return timedelta(days=self.retention_days)

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
