"""The command line."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvicorn
from pydantic_core import PydanticCustomError

from app.config import Settings
from app.domain.access import FIRST_KEY
from app.domain.errors import CronledgerError, ReleaseTooOld, StoreUnavailable
from app.domain.instants import rfc3339
from app.environment import read_settings
from app.key_commands import keys
from app.logs import configure_logs
from app.namespace_commands import namespaces
from app.secret_commands import secrets

main = typer.Typer(
    name="cronledger",
    help="Cron for HTTP endpoints that keeps a ledger. Settings come from CRONLEDGER_* in the environment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
main.add_typer(keys)
main.add_typer(namespaces)
main.add_typer(secrets)

OPENAPI = Path("openapi/openapi.json")
GRACEFUL_SECONDS = 3
"""How long open requests may take after SIGTERM; an open stream would keep the process for ever."""


@main.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one")] = None,
) -> None:
    """Migrate the database, then serve the API with the scheduler in it."""
    from app.main import create_app  # noqa: PLC0415  # the other commands start without it
    from app.patience import PatientProtocol  # noqa: PLC0415  # see above

    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = read_settings(**given)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        http=PatientProtocol,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        lifespan="on",
    )
    # The server repeats a signal that it caught once all is over; the default answer to SIGTERM is not status 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _prepare(settings.database_url)
    _refuse_to_be_open(settings)
    bound = config.bind_socket()
    url = f"http://{settings.host}:{bound.getsockname()[1]}"
    typer.echo(f"Cronledger serves on {url}; its documentation is at {url}{settings.docs_url}", err=True)
    server = uvicorn.Server(config)
    server.run(sockets=[bound])
    if not server.started:
        sys.exit(3)


def _prepare(database_url: str) -> None:
    """What the server would do as it starts, which buries the reason why it can't under a long traceback."""
    from app.db.migrate import upgrade  # noqa: PLC0415  # see serve

    try:
        upgrade(database_url)
    except CronledgerError as error:
        structlog.get_logger().error("can't start", reason=str(error), cause=repr(error.__cause__))
        raise typer.Exit(3) from None


def _refuse_to_be_open(settings: Settings) -> None:
    """Nobody may reach, from elsewhere, a service that asks nobody for a key."""
    from app.service.keys import any_key  # noqa: PLC0415  # see serve

    if settings.auth == "off":
        structlog.get_logger().warning("everybody who reaches this service may do everything", auth="off")
    elif settings.trust is None and not settings.bootstrap_key and not any_key(settings.database_url):
        if not settings.is_local and settings.role != "scheduler":
            raise SystemExit(
                f"No API key has been made, so this listens on loopback alone, and {settings.host} is not that. "
                f"{FIRST_KEY}, or say CRONLEDGER_AUTH=off if everybody who reaches it may do everything."
            )
        typer.echo("No API key has been made: nobody on this machine needs one, and nobody else is served.", err=True)


@main.command()
def migrate(
    *,
    check: Annotated[bool, typer.Option("--check", help="Only prove that the migrations add up to the tables")] = False,
) -> None:
    """Bring the database up to date, adopting a `cron_jobs` of go-cron's guide. Twice does no harm."""
    from app.service import upgrade  # noqa: PLC0415  # see serve

    settings = read_settings()
    configure_logs("warning", settings.log_format)
    if check:
        if found := upgrade.differences():
            raise SystemExit("\n".join(["The migrations don't add up to the tables:", *found]))
        typer.echo("The migrations add up to the tables.")
        return
    try:
        renewed = upgrade.upgrade(settings.database_url)
    except StoreUnavailable as error:
        raise SystemExit(f"{error.message} {error.__cause__ or error.remedy}") from None
    except ReleaseTooOld as error:
        raise SystemExit(f"{error}") from None
    typer.echo(f"The database is up to date; next times computed for {renewed} jobs.")


@main.command()
def recover(
    not_before: Annotated[
        str,
        typer.Option(help="The last moment at which the lost service may have called, such as 2027-01-01T09:00:00Z"),
    ],
) -> None:
    """After a restore from a backup: mark what was due up to an instant as missed, instead of calling it again.

    Start the service only then. Twice does no harm.
    """
    from app.api.schemas.instant import read_instant  # noqa: PLC0415  # see serve
    from app.domain.errors import Conflict, InvalidInput  # noqa: PLC0415  # see serve
    from app.service.recover import recover_database  # noqa: PLC0415  # see serve

    settings = read_settings()
    configure_logs("warning", settings.log_format)
    try:
        until = read_instant(not_before)
    except PydanticCustomError as error:
        raise SystemExit(f"--not-before: {error}. {(error.context or {}).get('remedy', '')}") from None
    try:
        done = recover_database(settings.database_url, until, timedelta(seconds=settings.lease_seconds))
    except StoreUnavailable as error:
        raise SystemExit(f"{error.message} {error.__cause__ or error.remedy}") from None
    except (Conflict, InvalidInput, ReleaseTooOld) as error:
        raise SystemExit(f"{error}") from None
    typer.echo(f"What stands in the ledger up to {rfc3339(until)} and had not ended:")
    typer.echo(f"  jobs that go on after it:              {done.jobs}")
    typer.echo(f"  missed (restored), with a row each:    {done.rows}")
    typer.echo(f"  missed (restored), in spans:           {done.in_spans}")
    typer.echo(f"  missed (restored), pending till then:  {done.never_called}")
    typer.echo(f"  lost (restored), begun before:         {done.lost}")
    if done.unreadable:
        typer.echo(f"Left as they are, since this program can't read them: {done.unreadable} jobs")


@main.command()
def openapi(
    *, check: Annotated[bool, typer.Option("--check", help="Fail where the file is not what would be written")] = False
) -> None:
    """Write openapi/openapi.json."""
    from app.api.openapi import export  # noqa: PLC0415  # see serve

    document = export()
    if not check:
        OPENAPI.parent.mkdir(exist_ok=True)
        OPENAPI.write_text(document, encoding="utf-8")
    elif not OPENAPI.exists() or OPENAPI.read_text(encoding="utf-8") != document:
        raise SystemExit(f"{OPENAPI} is not current. Run: cronledger openapi")
    else:
        typer.echo(f"{OPENAPI} is current.")


@main.command()
def preview(
    schedule: Annotated[str, typer.Argument(help="For example '0 9 * * MON-FRI'")],
    timezone: Annotated[str | None, typer.Option(help="Zone of the schedule; UTC unless the schedule says")] = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many times")] = 5,
    day_rule: Annotated[str, typer.Option(help="or, and")] = "or",
    name: Annotated[str, typer.Option(help="Name of the job, which H hashes")] = "",
) -> None:
    """Tell when a schedule is due, in words and in times."""
    from app.domain.errors import InvalidInput  # noqa: PLC0415  # see serve
    from app.domain.job import DayRule  # noqa: PLC0415  # see serve
    from app.service.preview import preview as previewed  # noqa: PLC0415  # see serve

    try:
        found = previewed(
            schedule, timezone, day_rule=DayRule(day_rule), name=name, after=datetime.now(UTC), count=count
        )
    except (InvalidInput, ValueError) as error:
        raise SystemExit(str(error)) from None
    typer.echo(found.description)
    for at in found.occurrences:
        typer.echo(f"  {at.at:%Y-%m-%d %H:%M:%S} UTC   {at.local}")
    for warning in found.warnings:
        typer.echo(f"  note: {warning}")


@main.command()
def echo(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one")] = 9000,
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
) -> None:
    """A small target that prints each call it gets, for a first job to call."""
    from app.echo import serve_echo  # noqa: PLC0415  # see serve

    def ready(bound: int) -> None:
        typer.echo(f"Listening on http://{host}:{bound}/ and answering 200 to everything")

    asyncio.run(serve_echo(host, port, lambda line: print(line, flush=True), ready))
