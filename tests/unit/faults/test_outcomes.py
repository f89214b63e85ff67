from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID
from xml.etree.ElementTree import fromstring

import pytest

from faults.facts import Call, Facts, Job, Run
from faults.outcome import Outcome, lag_figures, row_of, table
from faults.picture import svg
from faults.rows.deaths import POINTS, expected, judge
from faults.table import TABLE

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
JOB = Job(UUID(int=1), "job", 1, AT)
RUN = Run(UUID(int=2), JOB.uid, AT, "schedule", "succeeded", None, 2, 2, 1, UUID(int=9))
BY_NAME = {point.name: point for point in POINTS}


def facts(run: Run, calls: int, job: Job = JOB) -> Facts:
    made = [Call(AT.timestamp(), run.id, number + 1, AT, "schedule") for number in range(calls)]
    return Facts(end=AT, jobs=[job], runs=[run], attempts=[], spans=[], calls=made)


@pytest.mark.parametrize(
    ("names", "again", "once"),
    [
        (["claim-uncommitted"], ("succeeded", 1, 1), ("succeeded", 1, 1)),
        (["start-committed"], ("succeeded", 2, 1), ("lost", 1, 0)),
        (["in-call"], ("succeeded", 2, 2), ("lost", 1, 1)),
        (["record-uncommitted"], ("succeeded", 2, 2), ("lost", 1, 1)),
        (["record-committed"], ("succeeded", 1, 1), ("succeeded", 1, 1)),
        (["before-call", "in-call"], ("succeeded", 3, 2), ("lost", 1, 0)),
    ],
)
def test_what_a_death_costs_follows_from_its_point(
    names: list[str], again: tuple[str, int, int], once: tuple[str, int, int]
) -> None:
    points = [BY_NAME[name] for name in names]
    assert expected(points, at_most_once=False) == again
    assert expected(points, at_most_once=True) == once


def test_a_run_that_came_to_something_else_is_told() -> None:
    death = [(BY_NAME["in-call"], JOB.uid, AT)]
    assert list(judge(facts(RUN, calls=2), death)) == []
    assert "to be expected" in next(judge(facts(RUN, calls=1), death))
    assert "to be expected" in next(judge(facts(RUN, calls=2, job=replace(JOB, at_most_once=True)), death))
    assert "has gone" in next(judge(replace(facts(RUN, calls=2), runs=[]), death))


def test_lag_is_told_by_its_percentiles() -> None:
    told = lag_figures([(0.0, number / 100) for number in range(100)])
    assert told == {"calls": 100, "lag_p50": 0.5, "lag_p99": 0.99, "lag_max": 0.99}
    assert lag_figures([]) == {"calls": 0}


def test_a_row_holds_where_nothing_is_wrong_and_stands_in_the_table_and_the_picture() -> None:
    outcome = Outcome({"missed": 0, "lag_p50": 0.1}, lags=[(10.0, 0.1), (10.1, 0.3), (12.0, 0.2)], marks=[(9.0, "<&")])
    row = row_of(outcome, name="F1", fault="a fault", form="short", seconds=12.3)
    assert row.holds
    assert row.lags == [(1.0, 0.3), (3.0, 0.2)]
    assert "| F1 | a fault | short | yes | missed 0 |" in table([row])
    fromstring(svg(row))  # noqa: S314 (our own)
    assert not row_of(replace(outcome, wrong=["it"]), name="F1", fault="a fault", form="short", seconds=1).holds


def test_each_row_has_a_name_of_its_own() -> None:
    names = [entry.name for entry in TABLE]
    assert len(names) == len(set(names))
