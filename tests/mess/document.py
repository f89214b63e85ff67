"""The part of docs/explain.md that the night writes: what teaches, a table for each trouble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from tests.mess.expected import Told

_DOCUMENT = Path(__file__).parents[2] / "docs" / "explain.md"
_BEGIN, _END = "<!-- make mess -->\n", "<!-- make mess ends -->\n"

_TROUBLES = {
    "books": 'An excluded day: `5,55 0,23 * * *`, `exclude: ["2037-10-24"]`, `ends_at` 00:30.',
    "skip": "An overlap, with `overlap: skip`: `0,5,10,15 10 0 * * *`, and a target that answers after twelve seconds.",
    "queue": "The same with `overlap: queue`.",
    "move": "A pause, from just after 00:10 to 00:10:12.",
    "change": "Another schedule, by a PATCH just after 00:10:10: `10,18 10 0 * * *`.",
    "storm-1": (
        "A retry storm: ten jobs on `0,12,24 20 0 * * *` with five attempts, 10 s apart. Their target answers 503 until"
        " 00:20:16."
    ),
    "brief": "The same with two attempts.",
    "import": (
        "Both replicas are down from just after 00:30 to 00:40:10. The one that calls this job is killed, the other"
        " ends by SIGTERM."
    ),
    "latest": "The outage, for a job on `30-41 0 * * *`.",
    "all": 'The same with `misfire: {"policy": "all", "window_seconds": 300}`.',
    "none": 'The same with `misfire: {"policy": "skip"}`.',
    "away": "The same, for a job that was paused before, until 00:40:50.",
    "first": "The clock is put back, at 01:00Z from 03:00 to 02:00: `30 2 * * *` in Europe/Berlin.",
    "last": "The same with `dst_overlap: last`.",
    "both": "The same with `dst_overlap: both`.",
    "hourly": "And `30 * * * *` there.",
}


def tables(rows: Mapping[str, Sequence[Told]]) -> str:
    return "\n".join(_table(trouble, rows[job]) for job, trouble in _TROUBLES.items())


def write(rows: Mapping[str, Sequence[Told]]) -> None:
    before, _, after = _parts()
    _DOCUMENT.write_text(f"{before}{_BEGIN}\n{tables(rows)}\n{_END}{after}")


def differs(rows: Mapping[str, Sequence[Told]]) -> bool:
    return _parts()[1].strip() != tables(rows).strip()


def _parts() -> tuple[str, str, str]:
    """What stands before the tables, they themselves, and what stands after them."""
    before, _, rest = _DOCUMENT.read_text().partition(_BEGIN)
    within, _, after = rest.partition(_END)
    return before, within, after


def _table(trouble: str, told: Sequence[Told]) -> str:
    lines = [trouble, "", "| local | verdict | sentence |", "|---|---|---|"]
    ascending = sorted(told, key=lambda each: datetime.fromisoformat(each[0]))
    return "\n".join([*lines, *map(_row, _alike(ascending)), ""])


def _alike(told: Sequence[Told]) -> list[list[Told]]:
    """Instants one after the other that are told of in the same words share a row."""
    return [list(group) for _, group in groupby(told, key=itemgetter(1, 2))]


def _row(alike: Sequence[Told]) -> str:
    first, last = _clock(alike[0]), _clock(alike[-1])
    when = first if len(alike) == 1 else f"{first} {'and' if len(alike) == 2 else 'to'} {last}"
    return f"| {when} | `{alike[0][1]}` | {alike[0][2]} |"


def _clock(told: Told) -> str:
    return told[0].partition("T")[2]
