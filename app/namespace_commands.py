"""The commands of namespaces, which work on the database itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from app.domain.errors import CronledgerError
from app.domain.namespace import Namespace
from app.environment import read_settings
from app.logs import configure_logs
from app.service.namespaces import NamespaceService, with_namespaces

T = TypeVar("T")

namespaces = typer.Typer(name="namespaces", help="Namespaces: tenants, and what each may have.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(help="The namespace's name")]


@namespaces.command(name="set")
def set_namespace(
    name: _Name,
    max_jobs: Annotated[int | None, typer.Option(help="So many jobs at once")] = None,
    min_interval_seconds: Annotated[float | None, typer.Option(help="Between two occurrences of a job")] = None,
    runs_per_day: Annotated[int | None, typer.Option(help="So many runs in a day of UTC")] = None,
    requests_per_second: Annotated[float | None, typer.Option(help="So many requests to one replica")] = None,
) -> None:
    """Make a namespace, or give it these quotas in place of those that it has; what is left out is not limited."""
    from app.api.schemas.namespace import NamespacePut  # noqa: PLC0415  # the other commands start without it

    try:
        asked = NamespacePut(
            name=name,
            max_jobs=max_jobs,
            min_interval_seconds=min_interval_seconds,
            runs_per_day=runs_per_day,
            requests_per_second=requests_per_second,
        )
    except ValidationError as error:
        raise SystemExit("\n".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())) from None
    _, is_new = _run(lambda service: service.put(asked.name, asked.quotas()))
    typer.echo(f"The namespace {name} {'is made' if is_new else 'has these quotas'}.")


@namespaces.command(name="list")
def list_namespaces() -> None:
    """Print the namespaces there are, with what they have of their quotas."""
    for each in _run(lambda service: service.all()):
        typer.echo("  ".join([each.name, *_told(each)]))


@namespaces.command()
def delete(name: _Name) -> None:
    """Delete a namespace in which there is nothing any more. Its name is not given again."""
    _run(lambda service: service.delete(name))
    typer.echo(f"The namespace {name} is deleted.")


def _told(namespace: Namespace) -> list[str]:
    quotas = namespace.quotas
    told = [f"{namespace.jobs} jobs" + ("" if quotas.max_jobs is None else f" of {quotas.max_jobs}")]
    if quotas.runs_per_day is not None:
        told.append(f"{namespace.runs_today} runs today of {quotas.runs_per_day}")
    if quotas.min_interval_seconds is not None:
        told.append(f"every {quotas.min_interval_seconds:g} s at most")
    if quotas.requests_per_second is not None:
        told.append(f"{quotas.requests_per_second:g} requests a second")
    return told


def _run(work: Callable[[NamespaceService], Awaitable[T]]) -> T:
    settings = read_settings()
    configure_logs("warning", settings.log_format)
    try:
        return asyncio.run(with_namespaces(settings.database_url, work))
    except CronledgerError as error:
        raise SystemExit(f"{error}") from None
