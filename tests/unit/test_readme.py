"""What the documents say is so: settings, operations, metrics and worked examples."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.api.needs import NEEDS
from app.api.openapi import document
from app.config import settings_table
from app.domain.access import Scope
from app.domain.job import DayRule, DstGap, DstOverlap
from app.domain.recurrence import RESOLUTION
from app.domain.schedule import parse
from app.target.address import LINES, Line, Targets

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
SCHEDULES = (ROOT / "docs/schedules.md").read_text("utf-8")
TARGETS = (ROOT / "docs/targets.md").read_text("utf-8")
ACCESS = (ROOT / "docs/access.md").read_text("utf-8")
OPERATE = (ROOT / "docs/operate.md").read_text("utf-8")

OPTIONS: dict[str, type[Any]] = {"day_rule": DayRule, "dst_gap": DstGap, "dst_overlap": DstOverlap}


def between(text: str, marker: str) -> list[str]:
    """What stands between each `<!-- marker -->` and its `<!-- /marker -->`."""
    found: list[str] = re.findall(rf"<!-- {marker} -->\n(.*?)\n<!-- /{marker} -->", text, re.DOTALL)
    return found


def table_rows(table: str) -> list[list[str]]:
    """The cells of each row below the head, without the marks of code."""
    lines = table.splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def instant(text: str) -> datetime | None:
    return None if text == "never" else datetime.fromisoformat(text).replace(tzinfo=UTC)


def examples() -> list[list[str]]:
    return [row for table in between(SCHEDULES, "examples") for row in table_rows(table)]


def test_the_readme_has_every_setting() -> None:
    wanted = settings_table()
    assert between(README, "settings") == [wanted], (
        f"Put this between <!-- settings --> and <!-- /settings --> in README.md:\n{wanted}"
    )


def test_the_document_of_access_has_what_every_operation_needs() -> None:
    rows = ["| scope | operations |", "|---|---|"]
    for scope in Scope:
        named = [f"`{operation}`" for operation, needed in NEEDS.items() if needed is scope]
        rows.append(f"| `{scope}` | {', '.join(named)} |")
    wanted = "\n".join(rows)
    assert between(ACCESS, "scopes") == [wanted], f"Put this between its marks in docs/access.md:\n{wanted}"


def test_the_document_of_targets_has_every_line_of_the_table() -> None:
    rows = ["| network | what it is | may be called with | source |", "|---|---|---|---|", *map(_address_row, LINES)]
    wanted = "\n".join(rows)
    assert between(TARGETS, "addresses") == [wanted], f"Put this between its marks in docs/targets.md:\n{wanted}"


def _address_row(line: Line) -> str:
    open_to = ", ".join(f"`{each}`" for each in Targets if each in line.open_to) or "never"
    where = "as the address inside" if line.carries else open_to
    return f"| `{line.network}` | {line.what} | {where} | {line.source} |"


def test_the_readme_names_every_operation_of_the_api_and_no_other() -> None:
    (table,) = between(README, "api")
    named = {
        (method.lower(), path)
        for methods, path in re.findall(r"`([A-Z, ]+) (/[^`]*)`", table)
        for method in methods.split(", ")
    }
    assert named == {(method, path) for path, methods in document()["paths"].items() for method in methods}


def test_the_operators_page_names_every_metric_and_no_other() -> None:
    source = (ROOT / "app/metrics.py").read_text("utf-8")
    there = set(re.findall(r'"(cronledger_\w+)"', source))
    assert {name.removesuffix("_total") for name in re.findall(r"`(cronledger_\w+)", OPERATE)} == there


@pytest.mark.parametrize("row", examples(), ids=lambda row: " ".join(row[:4]))
def test_the_examples_of_schedules_hold(row: list[str]) -> None:
    text, zone, option, after, due = row
    name, _, value = option.partition(": ")
    start = instant(value) if name == "starts_at" else None
    options = {name: OPTIONS[name](value)} if name in OPTIONS else {}
    schedule = parse(text, zone or None, name="invoices", anchor=start, **options)
    at = max(filter(None, (instant(after), start and start - RESOLUTION)))
    for expected in due.split(", "):
        found = schedule.next_after(at)
        assert found == instant(expected)
        at = found or at
