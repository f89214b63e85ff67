"""Time zones from the tzdata package alone, so that a slim image knows the same as a full one."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from importlib.resources import files
from zoneinfo import ZoneInfo

from app.domain.errors import UnknownTimezone

TZDATA_VERSION = version("tzdata")
_NOT_PLACES = {"Factory", "localtime"}


@cache
def timezones() -> frozenset[str]:
    """The names that a schedule may have as its zone; capitals count."""
    listed = files("tzdata").joinpath("zones").read_text("ascii").split()
    return frozenset(listed) - _NOT_PLACES


def load_zone(name: str, *, field: str = "timezone") -> ZoneInfo:
    """Raises UnknownTimezone; `field` is the input that named the zone."""
    if name not in timezones():
        raise UnknownTimezone(f"There is no time zone '{name[:64]}'.", field=field, remedy=_remedy(name))
    return _read(name)


@cache
def _read(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def _remedy(name: str) -> str:
    meant = _by_rough_name().get(name[:64].casefold().replace(" ", "_"))
    return f"Did you mean {meant}?" if meant else "Use a name of the tz database, such as Europe/Berlin."


@cache
def _by_rough_name() -> dict[str, str]:
    """Names by their lower-case form, whole or without the continent."""
    places = {name.rpartition("/")[2].casefold(): name for name in sorted(timezones(), reverse=True)}
    return places | {name.casefold(): name for name in timezones()}
