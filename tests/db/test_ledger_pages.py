from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from app.db.jobs import JobFilter
from app.db.runs import RunFilter
from app.domain.clock import FakeClock
from app.domain.errors import JobNotFound, RunNotFound
from app.domain.run import Run, State, Trigger
from tests.db.building import MINUTE, NOON, ONCE, Ledger, ended, minutes


@pytest.fixture
async def runs(ledger: Ledger, clock: FakeClock) -> list[Run]:
    """Three minutes of two jobs, then a manual run, newest first; those of `a` in the second minute failed."""
    jobs = [await ledger.create(name, policies=ONCE) for name in ("a", "b")]
    for number in range(3):
        clock.step(MINUTE)
        claims = await ledger.claim(clock.now(), *jobs)
        error = "status: 500" if number == 1 else None
        await ledger.record(*[ended(run, error=error if run.call.job_name == "a" else None) for run in claims.started])
    clock.step(MINUTE)
    await ledger.runs.trigger("a")
    return await ledger.runs.page(RunFilter(), None, 100)


async def test_the_newest_comes_first(runs: list[Run]) -> None:
    assert [run.ledger_at for run in runs] == sorted((run.ledger_at for run in runs), reverse=True)
    assert [run.id for run in runs] == sorted((run.id for run in runs), reverse=True)
    assert len(runs) == 7


async def test_pages_hold_everything_once(ledger: Ledger, runs: list[Run]) -> None:
    found: list[Run] = []
    while page := await ledger.runs.page(RunFilter(), found[-1].id if found else None, 2):
        found += page
    assert found == runs


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"state": State.FAILED}, 1),
        ({"state": State.SUCCEEDED}, 5),
        ({"trigger": Trigger.MANUAL}, 1),
        ({"trigger": Trigger.SCHEDULE, "state": State.PENDING}, 0),
        ({"since": NOON + 2 * MINUTE}, 5),
        ({"until": NOON + 2 * MINUTE}, 2),
        ({"since": NOON + 2 * MINUTE, "until": NOON + 3 * MINUTE}, 2),
    ],
)
@pytest.mark.usefixtures("runs")
async def test_runs_are_filtered(ledger: Ledger, filters: dict[str, Any], count: int) -> None:
    assert len(await ledger.runs.page(RunFilter(**filters), None, 100)) == count


async def test_the_runs_of_a_job_outlive_it(ledger: Ledger, runs: list[Run]) -> None:
    job_id = await ledger.runs.job_id("a")
    await ledger.jobs.delete("a")
    found = await ledger.runs.page(RunFilter(job_id=job_id), None, 100)
    assert {run.id for run in found} > {run.id for run in runs if run.job_name == "a"}
    assert {run.job_name for run in found} == {"a"}
    with pytest.raises(JobNotFound):
        await ledger.runs.job_id("a")


async def test_each_run_is_found_by_its_id(ledger: Ledger, runs: list[Run]) -> None:
    assert [await ledger.runs.get(run.id) for run in runs] == runs


@pytest.mark.parametrize("run_id", [UUID(int=0), UUID("0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b")])
async def test_a_run_that_is_not_there_is_not_found(ledger: Ledger, run_id: UUID) -> None:
    with pytest.raises(RunNotFound):
        await ledger.runs.get(run_id)


async def test_spans_come_newest_first_by_pages(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.create(enabled=False)
    for number in range(3):
        clock.step(MINUTE)
        await ledger.patch("job", description=str(number))
    first = await ledger.runs.spans("job", None, 3)
    second = await ledger.runs.spans("job", first[-1].id, 3)
    assert [span.after for span in first + second] == minutes(NOON, 4)[::-1]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["B", "a", "c_d", "cxd"]),
        ({"enabled": False}, ["cxd"]),
        ({"labels": {"team": "one"}}, ["B", "a"]),
        ({"labels": {"team": "one", "k.e-y": "v"}}, ["a"]),
        ({"labels": {"team": "two"}}, []),
        ({"text": "b"}, ["B"]),
        ({"text": "c_"}, ["c_d"]),
        ({"text": "%"}, []),
        ({"text": "x", "enabled": True}, []),
    ],
)
async def test_jobs_are_filtered(ledger: Ledger, filters: dict[str, Any], names: list[str]) -> None:
    await ledger.create("a", labels={"team": "one", "k.e-y": "v"})
    await ledger.create("B", labels={"team": "one"})
    await ledger.create("c_d")
    await ledger.create("cxd", enabled=False)
    found = await ledger.jobs.page(JobFilter(**filters), None, 100)
    assert sorted(job.name for job in found) == names


async def test_pages_of_jobs_hold_everything_once(ledger: Ledger) -> None:
    await ledger.populate(10)
    names: list[str] = []
    while page := await ledger.jobs.page(JobFilter(), names[-1] if names else None, 3):
        names += [job.name for job in page]
    assert sorted(names) == [f"job-{number}" for number in range(10)]
    assert len(names) == 10
