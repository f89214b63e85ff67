"""Logs: structlog's, and those of libraries in the same form; JSON outside a terminal."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logs(level: str, form: str) -> None:
    """`form` is json, console, or auto: for people on a terminal alone."""
    to_people = form == "console" or (form == "auto" and sys.stderr.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(to_people=to_people))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)
    for noisy in ("aiosqlite", "alembic", "asyncio", "uvicorn.access"):  # the first tells statements with their values
        logging.getLogger(noisy).setLevel(logging.WARNING)


def formatter(*, to_people: bool) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_SHARED, processors=_last(to_people=to_people))


def _last(*, to_people: bool) -> list[Processor]:
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if to_people:
        return [drop, _written_out, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [drop, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _written_out(_logger: object, _method: str, event: EventDict) -> EventDict:
    """JSON escapes what moves a cursor by itself, and so are values on a console; the message is not."""
    message = str(event.get("event", ""))
    event["event"] = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in message)
    return event
