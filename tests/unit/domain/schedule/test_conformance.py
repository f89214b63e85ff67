"""The answers of go-cron and robfig/cron, and the rows at which this dialect differs on purpose."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import InvalidInput
from app.domain.job import DayRule
from app.domain.schedule import Schedule, parse

ROWS = Path(__file__).parents[3] / "conformance" / "schedules"

HASHED = "H is drawn by SHA-256 of name and field, so that fields draw apart; go-cron draws by FNV-1a of the name alone"
HORIZON = "a year is one of 1970-2099, and nothing is due from 2100 on"
SIX_FIELDS = "the parser of the row takes five fields alone; here six fields are seconds first"
FIVE_FIELDS = "the parser of the row insists on seconds; here five fields are minutes first"
EXTENDED = "the parser of the row has extended syntax turned off; here there is one dialect"
MANUAL = "this dialect says @manual"

DIFFERS = {
    ("next", "0 0 1 1 * 5000-5010/2", "5000-06-15T10:00:00Z"): HORIZON,
    ("next", "H * * * *", "2024-01-01T00:00:00Z"): HASHED,
    ("next", "H/15 * * * *", "2024-01-01T00:00:00Z"): HASHED,
    ("next", "H/15 * * * *", "2024-01-01T00:22:00Z"): HASHED,
    ("next", "H(0-29) * * * *", "2024-01-01T00:00:00Z"): HASHED,
    ("prev", "0 0 1 1 * 3000", "3001-06-15T10:00:00Z"): HORIZON,
    ("parse", "0 0 * * FRI#3", "refused: extended syntax off"): EXTENDED,
    ("parse", "0 0 L * *", "refused: extended syntax off"): EXTENDED,
    ("parse", "0 0 * * * *", "refused: standard parser rejects 6 fields"): SIX_FIELDS,
    ("parse", "0 * * * * *", "refused: "): SIX_FIELDS,
    ("parse", "* * * * *", "refused: "): FIVE_FIELDS,
    ("parse", "0 0 1 1 * 100", "accepted: year bound"): HORIZON,
    ("parse", "0 0 1 1 * 9999", "accepted: year bound"): HORIZON,
    ("parse", "0 0 1 1 * 999999", "accepted: year bound"): HORIZON,
    ("parse", "@triggered", "accepted: go-cron only: never fires by itself"): MANUAL,
    ("parse", "@none", "accepted: go-cron only: never fires by itself"): MANUAL,
}


def rows(table: str) -> list[dict[str, Any]]:
    return list(json.loads((ROWS / f"{table}.json").read_text()))


def key(table: str, row: dict[str, Any]) -> tuple[str, str, str]:
    if table != "parse":
        return table, row["expr"], row["from"]
    return table, row["expr"], f"{'accepted' if row['valid'] else 'refused'}: {row['note']}"


def rows_that_hold(table: str) -> list[dict[str, Any]]:
    return [row for row in rows(table) if key(table, row) not in DIFFERS]


def translated(row: dict[str, Any]) -> str:
    """Six fields may have the year last in a row; here a year needs seconds too."""
    expr = str(row["expr"])
    has_year = "year" in row["needs"] and {"year", "year_optional"} & set(row["parser"])
    return f"0 {expr}" if has_year and len(expr.split()) == 6 else expr


def parsed(row: dict[str, Any]) -> Schedule:
    name = "" if row["note"] == "H without hash key should fail" else "conformance"
    rule = DayRule(row.get("day_rule") or DayRule.OR)
    anchor = datetime.fromisoformat(row["from"]) if "from" in row else None
    return parse(translated(row), row.get("tz"), name=name, day_rule=rule, anchor=anchor)


def agrees(row: dict[str, Any], answer: str) -> bool:
    expected = row["expected"] and datetime.fromisoformat(row["expected"])
    try:
        found = getattr(parsed(row), answer)(datetime.fromisoformat(row["from"]))
    except InvalidInput:
        return False
    return bool(found == expected)


def accepted(row: dict[str, Any]) -> bool:
    try:
        parsed(row)
    except InvalidInput:
        return False
    return True


def holds(table: str, row: dict[str, Any]) -> bool:
    if table == "parse":
        return accepted(row) is bool(row["valid"])
    return agrees(row, {"next": "next_after", "prev": "previous_before"}[table])


@pytest.mark.parametrize("row", rows_that_hold("next"), ids=lambda row: row["expr"])
def test_the_next_time_is_that_of_the_row(row: dict[str, Any]) -> None:
    assert holds("next", row)


@pytest.mark.parametrize("row", rows_that_hold("prev"), ids=lambda row: row["expr"])
def test_the_previous_time_is_that_of_the_row(row: dict[str, Any]) -> None:
    assert holds("prev", row)


@pytest.mark.parametrize("row", rows_that_hold("parse"), ids=lambda row: ascii(row["expr"][:80]))
def test_a_text_is_accepted_or_refused_as_in_the_row(row: dict[str, Any]) -> None:
    assert holds("parse", row)


def test_exactly_the_rows_that_are_said_to_differ_do() -> None:
    tables = ("next", "prev", "parse")

    assert {key(table, row) for table in tables for row in rows(table) if not holds(table, row)} == set(DIFFERS)
