"""The commands of secrets, which work on the database itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from app.domain.errors import CronledgerError
from app.domain.instants import rfc3339
from app.domain.namespace import DEFAULT
from app.environment import read_settings
from app.logs import configure_logs
from app.service.rotation import Rotated
from app.service.secrets import SecretService, with_secrets
from app.target.signature import new_signing_key
from app.vault.sealer import Sealer, new_key, read_keys

T = TypeVar("T")

secrets = typer.Typer(name="secrets", help="Secrets that calls carry, and the keys for them.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(help="The secret's name")]
_Namespace = Annotated[str, typer.Option(help="Where the secret is")]


@secrets.command(name="new-key")
def print_key() -> None:
    """Print a new key, to be set as CRONLEDGER_SECRET_KEYS. Nothing is stored."""
    typer.echo(new_key())


@secrets.command(name="new-signing-key")
def print_signing_key() -> None:
    """Print a new key that signs calls, for CRONLEDGER_SIGNING_KEYS or a secret. Nothing is stored."""
    typer.echo(new_signing_key())


@secrets.command(name="set")
def set_secret(name: _Name, namespace: _Namespace = DEFAULT) -> None:
    """Make a secret of the standard input, or give it that value. The end of the last line is left out."""
    from app.api.schemas.secret import SecretIn  # noqa: PLC0415  # the other commands start without it

    try:
        asked = SecretIn(name=name, value=sys.stdin.read().rstrip("\r\n"))
    except ValidationError as error:
        raise SystemExit("\n".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())) from None
    _, is_new = _run(lambda service: service.replace(asked.name, asked.value), namespace)
    typer.echo(f"The secret {name} {'is made' if is_new else 'has another value'}.")


@secrets.command(name="list")
def list_secrets(namespace: _Namespace = DEFAULT) -> None:
    """Print the names of the secrets, with when they were given their values."""
    for secret in _run(lambda service: service.all(), namespace):
        typer.echo(f"{secret.name}  {rfc3339(secret.updated_at)}")


@secrets.command()
def delete(name: _Name, namespace: _Namespace = DEFAULT) -> None:
    """Delete a secret that no job names."""
    _run(lambda service: service.delete(name), namespace)
    typer.echo(f"The secret {name} is deleted.")


@secrets.command()
def rotate() -> None:
    """Encrypt everything anew under the first of CRONLEDGER_SECRET_KEYS, so that the others can be taken away.

    In all namespaces.
    """
    done: Rotated = _run(lambda service: service.rotate())
    typer.echo(f"Encrypted anew: {done.secrets} secrets, {done.jobs} jobs, {done.notices} notices to be sent.")
    if done.unreadable:
        raise SystemExit("None of the keys opens: " + ", ".join(done.unreadable))


def _run(work: Callable[[SecretService], Awaitable[T]], namespace: str = DEFAULT) -> T:
    settings = read_settings()
    configure_logs("warning", settings.log_format)
    try:
        return asyncio.run(
            with_secrets(settings.database_url, Sealer(read_keys(settings.secret_keys)), work, namespace)
        )
    except CronledgerError as error:
        raise SystemExit(f"{error}") from None
