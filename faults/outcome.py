"""What a row of the table came to: kept as JSON, told as a table, one row at a time."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faults.check import Found

ROOT = Path(__file__).parents[1]
FOLDERS = {"full": Path(__file__).parent / "results", "short": ROOT / "var" / "faults"}
"""What is kept by version control, and what is not."""

_SHOWN = 20


@dataclass
class Outcome:
    """`wrong` has the instants and rows that ought not to be; `notes` what is told without being judged."""

    figures: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lags: Sequence[tuple[float, float]] = ()
    marks: Sequence[tuple[float, str]] = ()

    @classmethod
    def of(
        cls, found: Found, marks: Sequence[tuple[float, str]], *, besides: Sequence[str] = (), **figures: object
    ) -> Outcome:
        told = found.counts() | {"again": found.called_again, "lost": found.lost} | lag_figures(found.lags) | figures
        return cls(told, found.wrong(besides=besides), lags=found.lags, marks=marks)


@dataclass
class Row:
    name: str
    fault: str
    form: str
    holds: bool
    figures: dict[str, Any]
    notes: list[str]
    wrong: list[str]
    seconds: float
    load: float
    commit: str
    date: str
    machine: str
    lags: list[tuple[float, float]]
    marks: list[tuple[float, str]]


def lag_figures(lags: Sequence[tuple[float, float]]) -> dict[str, float]:
    late = sorted(seconds for _, seconds in lags)
    if not late:
        return {"calls": 0}
    at = {share: late[min(int(len(late) * share), len(late) - 1)] for share in (0.5, 0.99)}
    return {
        "calls": len(late),
        "lag_p50": round(at[0.5], 3),
        "lag_p99": round(at[0.99], 3),
        "lag_max": round(late[-1], 3),
    }


def row_of(outcome: Outcome, *, name: str, fault: str, form: str, seconds: float) -> Row:
    """The load is what the machine was busy with in the minute before."""
    lags, marks = _relative(outcome)
    return Row(
        name=name,
        fault=fault,
        form=form,
        holds=not outcome.wrong,
        figures=outcome.figures,
        notes=outcome.notes,
        wrong=outcome.wrong[:_SHOWN] + ([f"and {len(outcome.wrong) - _SHOWN} more"] if outcome.wrong[_SHOWN:] else []),
        seconds=round(seconds, 1),
        load=round(os.getloadavg()[0], 1),
        commit=_commit(),
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        machine=f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        lags=lags,
        marks=marks,
    )


def keep(row: Row) -> None:
    folder = FOLDERS[row.form]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{row.name}.json").write_text(json.dumps(asdict(row), indent=1) + "\n")
    (folder / "table.md").write_text(table([Row(**json.loads(path.read_text())) for path in _stored(folder)]))


def table(rows: Sequence[Row]) -> str:
    lines = [
        "| | fault | form | holds | seen | lag p50, p99, max (s) | took | load | commit | date |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(row) for row in rows]
    machines = sorted({row.machine for row in rows})
    return "\n".join([*lines, "", *(f"Machine: {machine}." for machine in machines), ""])


def summary(row: Row) -> str:
    told = [f"{row.name} {'holds' if row.holds else 'FAILS'} in {row.seconds:.0f} s, load {row.load}: {_seen(row)}"]
    return "\n  ".join([*told, *row.notes, *row.wrong])


def _line(row: Row) -> str:
    lag = ", ".join(f"{row.figures[each]:g}" for each in ("lag_p50", "lag_p99", "lag_max") if each in row.figures)
    cells = [row.name, row.fault, row.form, "yes" if row.holds else "**no**", "; ".join([_seen(row), *row.notes]), lag]
    return f"| {' | '.join([*cells, f'{row.seconds:.0f} s', f'{row.load}', row.commit, row.date])} |"


def _seen(row: Row) -> str:
    shown = {name: value for name, value in row.figures.items() if not name.startswith("lag_")}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items())


def _stored(folder: Path) -> list[Path]:
    return sorted(folder.glob("F*.json"), key=lambda path: int(path.stem[1:]))


def _relative(outcome: Outcome) -> tuple[list[tuple[float, float]], list[tuple[float, str]]]:
    """Seconds from the first call on; of each half second the greatest lag."""
    moments = [at for at, _ in (*outcome.lags, *outcome.marks)]
    if not moments:
        return [], []
    begin = min(moments)
    worst: dict[float, float] = {}
    for at, late in outcome.lags:
        bucket = round((at - begin) * 2) / 2
        worst[bucket] = max(worst.get(bucket, late), late)
    lags = [(at, round(worst[at], 3)) for at in sorted(worst)]
    return lags, [(round(at - begin, 1), what) for at, what in outcome.marks]


def _commit() -> str:
    """With a plus where the service itself differs from it."""
    told = _git("rev-parse", "--short", "HEAD").strip() or "unknown"
    return told + ("+" if _git("status", "--porcelain", "--", "app", "alembic").strip() else "")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout
