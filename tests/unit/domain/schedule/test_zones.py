from __future__ import annotations

import struct
import zoneinfo
from datetime import UTC, datetime
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from app.domain.errors import UnknownTimezone
from app.domain.schedule import TZDATA_VERSION, load_zone, parse, timezones
from app.domain.schedule.local import _PROBE, changes_between
from app.domain.schedule.zones import _read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def test_the_zones_are_those_of_the_package_that_are_places() -> None:
    assert {"UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5", "EST5EDT"} <= timezones()
    assert not {"Factory", "localtime", "posixrules", "America"} & timezones()
    assert not [name for name in timezones() if name.startswith(("posix/", "right/"))]


def test_every_zone_can_be_used() -> None:
    for name in timezones():
        assert load_zone(name).key == name
        assert parse("0 9 * * *", name).next_after(NOW) is not None


@pytest.mark.parametrize("name", ["europe/berlin", "America", "../UTC", "/etc/localtime", "Factory", "UTC\x00", ""])
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(UnknownTimezone):
        load_zone(name)


@pytest.fixture
def machine_where_berlin_is_utc(tmp_path: Path) -> Iterator[None]:
    tmp_path.joinpath("Europe").mkdir()
    tmp_path.joinpath("Europe", "Berlin").write_bytes(zone_file("UTC"))
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()
    ZoneInfo.clear_cache()


@pytest.mark.usefixtures("machine_where_berlin_is_utc")
def test_the_zones_of_the_machine_are_not_asked() -> None:
    assert NOW.astimezone(ZoneInfo("Europe/Berlin")).hour == 0
    assert NOW.astimezone(_read.__wrapped__("Europe/Berlin")).hour == 2


def test_the_version_is_that_of_the_package() -> None:
    first_line = files("tzdata").joinpath("zoneinfo", "tzdata.zi").read_text("ascii").partition("\n")[0]
    year, letter = TZDATA_VERSION.split(".")[:2]

    assert first_line == f"# version {year}{chr(ord('a') + int(letter) - 1)}"


def test_no_zone_changes_its_clock_twice_between_two_probes() -> None:
    """The stretches of a year are found by probing; this reads the changes from the zone files themselves."""
    for name in timezones():
        changes = [at for at in recorded_changes(name) if at >= 0]
        assert all(later - earlier > 3 * _PROBE for earlier, later in pairwise(changes)), name


def test_the_changes_that_are_found_are_those_that_the_files_record() -> None:
    """A file records changes one by one up to a year, and those after it as a yearly rule."""
    one_name_of_each = {zone_file(name): name for name in timezones()}.values()
    for name in sorted(one_name_of_each):
        recorded = {at for at in recorded_changes(name) if at >= 0}
        found = {stretch.start for stretch in changes_between(name, 0, max(recorded, default=0))}
        assert found == recorded, name


def test_changes_are_those_between_two_instants() -> None:
    change = int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp())

    for first, last, expected in ((change, change, 1), (change + 1, change + 9, 0), (change - 9, change - 1, 0)):
        assert len(list(changes_between("Europe/Berlin", first, last))) == expected


def zone_file(name: str) -> bytes:
    return files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


def recorded_changes(name: str) -> Iterator[int]:
    """The instants at which a TZif file (RFC 9636) changes the offset."""
    data = zone_file(name)
    isut, isstd, leap, times, types, chars = struct.unpack(">6l", data[20:44])
    second = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isut
    _, _, _, times, types, _ = struct.unpack(">6l", data[second + 20 : second + 44])
    body = data[second + 44 :]
    offsets = [struct.unpack(">l", body[times * 9 + i * 6 :][:4])[0] for i in range(types)]
    before = offsets[0]
    for at, index in zip(struct.unpack(f">{times}q", body[: times * 8]), body[times * 8 :], strict=False):
        if offsets[index] != before:
            yield at
        before = offsets[index]
