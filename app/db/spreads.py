"""Percentiles by nearest rank, the same on every database: each is a value that was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    Label,
    Select,
    Subquery,
    cast,
    func,
    literal,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY, array

from app.db.tables import job_runs
from app.domain.run import State
from app.domain.stats import Outcomes, Spread

_SHARES = (0.5, 0.9, 0.99)
_MEASURED = ("lag", "duration")

By = Sequence[ColumnElement[Any]]
Between = Callable[[ColumnElement[datetime], ColumnElement[datetime]], ColumnElement[float]]
"""The seconds from the second to the first."""


def outcomes_query(dialect: str, which: Sequence[ColumnElement[bool]], by: By = ()) -> Select[Any]:
    """The states and times of these runs, for `as_outcomes`: in all, or of each group."""
    return _ordered_sets(which, by) if dialect == "postgresql" else _windows(which, by, _BETWEEN[dialect])


def as_outcomes(row: Mapping[str, Any]) -> Outcomes:
    return Outcomes(
        states={state: row[state] for state in State if row[state]},
        lag=_spread(row, "lag"),
        duration=_spread(row, "duration"),
    )


def _ordered_sets(which: Sequence[ColumnElement[bool]], by: By) -> Select[Any]:
    shares: ColumnElement[Any] = array([literal(share, Double()) for share in _SHARES])
    told: list[Label[Any]] = []
    for name, value in zip(_MEASURED, _times(_seconds_between), strict=True):
        percentiles = func.percentile_disc(shares).within_group(value)
        told += [type_coerce(percentiles, ARRAY(Double)).label(name), func.max(value).label(f"{name}_longest")]
    return select(*by, *_counts(job_runs.c.state), *told).where(*which).group_by(*by)


def _windows(which: Sequence[ColumnElement[bool]], by: By, between: Between) -> Select[Any]:
    """By the share of the runs of the group that took as long at most."""
    shares: list[ColumnElement[Any]] = []
    for name, value in zip(_MEASURED, _times(between), strict=True):
        share = func.cume_dist().over(partition_by=[*by, value.is_(None)], order_by=value)
        shares += [value.label(name), share.label(f"{name}_share")]
    ranked = select(*by, job_runs.c.state, *shares).where(*which).subquery("ranked")
    groups = [ranked.c[column.key] for column in by if column.key]
    return select(*groups, *_counts(ranked.c.state), *_reached(ranked)).group_by(*groups)


def _reached(ranked: Subquery) -> Iterator[Label[Any]]:
    for name in _MEASURED:
        for index, least in enumerate(_SHARES):
            value = func.min(ranked.c[name]).filter(ranked.c[f"{name}_share"] >= least)
            yield value.label(f"{name}_{index}")
        yield func.max(ranked.c[name]).label(f"{name}_longest")


def _counts(state: ColumnElement[str]) -> list[Label[int]]:
    return [func.count().filter(state == each).label(each) for each in State]


def _times(between: Between) -> tuple[ColumnElement[float], ColumnElement[float]]:
    run = job_runs.c
    return between(run.started_at, run.scheduled_for), between(run.finished_at, run.started_at)


def _seconds_between(later: ColumnElement[datetime], earlier: ColumnElement[datetime]) -> ColumnElement[float]:
    return func.date_part("epoch", later - earlier, type_=Double)


def _sqlite_seconds_between(later: ColumnElement[datetime], earlier: ColumnElement[datetime]) -> ColumnElement[float]:
    """Its own functions know no more than milliseconds."""
    seconds = cast(func.strftime("%s", later), Integer) - cast(func.strftime("%s", earlier), Integer)
    micros = cast(func.substr(later, 21), Integer) - cast(func.substr(earlier, 21), Integer)
    return type_coerce((seconds * 1_000_000 + micros) / literal(1e6, Double()), Double)


def _mariadb_seconds_between(later: ColumnElement[datetime], earlier: ColumnElement[datetime]) -> ColumnElement[float]:
    micros = func.timestampdiff(literal_column("MICROSECOND"), earlier, later)
    return type_coerce(micros / literal(1e6, Double()), Double)


_BETWEEN = {"sqlite": _sqlite_seconds_between, "mariadb": _mariadb_seconds_between}


def _spread(row: Mapping[str, Any], name: str) -> Spread:
    if name in row:
        found = row[name] or [None] * len(_SHARES)
    else:
        found = [row[f"{name}_{index}"] for index in range(len(_SHARES))]
    values = (*found, row[f"{name}_longest"])
    return Spread(*(None if value is None else timedelta(seconds=value) for value in values))
