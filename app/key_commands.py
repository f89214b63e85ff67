"""The commands of API keys, which work on the database itself: whoever may read it needs no key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from pydantic import ValidationError

from app.domain.access import Scope
from app.domain.api_key import ApiKey
from app.domain.errors import CronledgerError
from app.domain.instants import rfc3339
from app.domain.namespace import DEFAULT
from app.environment import read_settings
from app.logs import configure_logs
from app.service.keys import KeyService, new_key, with_keys

T = TypeVar("T")

_Namespace = Annotated[str, typer.Option(help="Where the key is, and all that it reaches")]

keys = typer.Typer(name="keys", help="API keys: who may use the API, and for what.", no_args_is_help=True)


@keys.command()
def new() -> None:
    """Print a new key, to be set as CRONLEDGER_BOOTSTRAP_KEY. Nothing is stored."""
    typer.echo(new_key())


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for")],
    scope: Annotated[list[Scope], typer.Option(help="What it allows; repeat it for more. admin includes the others")],
    expires_at: Annotated[str | None, typer.Option(help="From then on it is refused, 2027-01-01T09:00:00Z say")] = None,
    namespace: _Namespace = DEFAULT,
) -> None:
    """Make a key and print it; it is not shown again."""
    from app.api.schemas.api_key import KeyIn  # noqa: PLC0415  # the other commands start without it

    try:
        asked = KeyIn(name=name, scopes=scope, expires_at=expires_at)  # type: ignore[arg-type]  # it is read there
    except ValidationError as error:
        raise SystemExit("\n".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())) from None
    made, told = _run(lambda service: service.create(asked.name, frozenset(asked.scopes), asked.expires_at), namespace)
    typer.echo(f"The key {made.id}, for {' '.join(sorted(made.scopes))}:", err=True)
    typer.echo(told)


@keys.command(name="list")
def list_keys(namespace: _Namespace = DEFAULT) -> None:
    """Print the keys there are, oldest first, with how they begin."""
    for key in _run(lambda service: service.all(), namespace):
        told = [f"{key.id}  {key.hint}…  {' '.join(sorted(key.scopes))}  {key.name!r}", *_dates(key)]
        typer.echo("  ".join(told))


@keys.command()
def revoke(
    key_id: Annotated[UUID, typer.Argument(help="Its id, as `keys list` shows it")], namespace: _Namespace = DEFAULT
) -> None:
    """Have a key refused for ever, by every replica within 5 s."""
    key = _run(lambda service: service.revoke(key_id), namespace)
    typer.echo(f"The key {key.name!r} is revoked.")


def _dates(key: ApiKey) -> list[str]:
    told = (("expires", key.expires_at), ("revoked", key.revoked_at), ("last used", key.last_used_at))
    return [f"{what} {rfc3339(at)}" for what, at in told if at is not None]


def _run(work: Callable[[KeyService], Awaitable[T]], namespace: str) -> T:
    settings = read_settings()
    configure_logs("warning", settings.log_format)
    try:
        return asyncio.run(with_keys(settings.database_url, work, namespace))
    except CronledgerError as error:
        raise SystemExit(f"{error}") from None
