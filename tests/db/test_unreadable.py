"""Rows that another program wrote, and this one can't read: each is set aside, and the others go on."""

from __future__ import annotations

from typing import Any

import pytest

from app.db.jobs import JobFilter
from app.domain.clock import FakeClock
from app.domain.policies import Misfire, Policies
from app.service import recompute as recompute_module
from app.service.recompute import recompute
from tests.db.building import JUST, MINUTE, NOON, Ledger, queued

UNREADABLE: list[dict[str, Any]] = [
    {"day_rule": "xor"},
    {"dst_gap": "early"},
    {"dst_overlap": "third"},
    {"policies": {"overlap": "perhaps"}},
    {"policies": {"misfire": {"policy": "some"}}},
    {"policies": [1]},
]
each = pytest.mark.parametrize("column", UNREADABLE, ids=str)


@each
async def test_it_is_set_aside_with_its_reason(ledger: Ledger, clock: FakeClock, column: dict[str, Any]) -> None:
    sound, broken, other = [await ledger.create(name) for name in ("a", "b", "c")]
    await ledger.overwrite(broken, **column)
    clock.step(MINUTE)
    assert [row.name for row in await ledger.rows.enabled_page(0, 10)] == ["a", "c"]
    row = await ledger.row_of(broken)
    assert (row.next_run, row.enabled, row.version) == (None, True, 1)
    assert f"{next(iter(column))} can't be read" in row.problem
    [span] = await ledger.spans_of(broken)
    assert (span.after, span.until, span.reason) == (NOON + MINUTE - JUST, None, "unschedulable")
    assert [row.name for row in await ledger.rows.enabled_among([sound.id, broken.id, other.id])] == ["a", "c"]


async def test_a_whole_page_of_them_ends_no_loading(ledger: Ledger) -> None:
    jobs = [await ledger.create(f"job-{number}") for number in range(5)]
    for job in jobs[:4]:
        await ledger.overwrite(job, dst_gap="early")
    assert [row.name for row in await ledger.rows.enabled_page(0, 2)] == ["job-4"]


@each
async def test_it_is_shown_with_its_problem(ledger: Ledger, column: dict[str, Any]) -> None:
    broken = await ledger.create()
    await ledger.overwrite(broken, **column)
    [shown] = await ledger.jobs.page(JobFilter(), None, 10)
    assert shown == await ledger.jobs.get("job")
    assert shown.problem is not None
    assert f"{next(iter(column))} can't be read" in shown.problem
    assert (await ledger.jobs.next_times("job", 3))[1] == []


@each
async def test_a_start_leaves_it_as_it_is_and_recomputes_the_others(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, column: dict[str, Any]
) -> None:
    monkeypatch.setattr(recompute_module, "COMPUTED_UNDER", "dialect 999 tzdata 9999z")
    monkeypatch.setattr(recompute_module, "BATCH", 1)
    broken, _ = await ledger.create("broken"), await ledger.create("sound")
    await ledger.overwrite(broken, **column)
    assert await recompute(ledger.database) == 1
    row = await ledger.row_of(broken)
    assert (row.version, {name: getattr(row, name) for name in column}) == (1, column)


@each
async def test_a_change_mends_it(ledger: Ledger, clock: FakeClock, column: dict[str, Any]) -> None:
    """What was due before stands in a span that nobody can count, whether it was set aside or not."""
    for name, set_aside in (("met", True), ("not-met", False)):
        broken = await ledger.create(name)
        made = clock.now()
        await ledger.overwrite(broken, **column)
        if set_aside:
            await ledger.rows.enabled_page(0, 10)
        clock.step(10 * MINUTE)
        mended = await ledger.patch(name, description="mended")
        assert (mended.problem, mended.next_run) == (None, clock.now() + MINUTE)
        [span] = await ledger.spans_of(broken)
        assert (span.after, span.until, span.reason) == (made + MINUTE - JUST, clock.now(), "unschedulable")
        assert await ledger.runs_of(broken) == []
        assert broken.id in [row.id for row in await ledger.rows.enabled_page(0, 10)]


async def test_what_a_later_program_added_to_the_policies_is_passed_over(ledger: Ledger) -> None:
    job = await ledger.create(policies=Policies(misfire=Misfire(max=7)))
    await ledger.overwrite(job, policies={"misfire": {"max": 7, "later": 1}, "later": {"a": 1}})
    [row] = await ledger.rows.enabled_among([job.id])
    assert row.policies == Policies(misfire=Misfire(max=7))


@each
async def test_a_run_that_is_pending_of_it_does_not_stop_those_of_others(
    ledger: Ledger, clock: FakeClock, column: dict[str, Any]
) -> None:
    broken, sound = await ledger.create("broken"), await ledger.create("sound")
    clock.step(MINUTE)
    await ledger.patch("broken", description="new")
    await ledger.patch("sound", description="new")
    await ledger.overwrite(broken, **column)
    runs = [queued(await ledger.run_of(job)) for job in (broken, sound)]
    found = (await ledger.starts.start(broken.uid, runs)).begun
    assert runs[1].run_id in [started.call.run_id for started in found]
