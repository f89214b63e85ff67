"""F7: killed at each named point between claim, call and record, against the table of allowed outcomes."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from faults.facts import Facts, Run
from faults.outcome import Outcome
from faults.replica import DIED
from faults.world import LEASE, SETTINGS, World, world
from tests.servers.replica import Replica


@dataclass(frozen=True, slots=True)
class Point:
    """What a death there costs: whether the attempt counts, whether its call came, whether the run is over."""

    name: str
    started: bool
    called: bool
    recorded: bool = False


POINTS = [
    Point("claim-uncommitted", started=False, called=False),
    Point("claim-committed", started=True, called=False),
    Point("start-uncommitted", started=False, called=False),
    Point("start-committed", started=True, called=False),
    Point("before-call", started=True, called=False),
    Point("in-call", started=True, called=True),
    Point("after-call", started=True, called=True),
    Point("record-uncommitted", started=True, called=True),
    Point("record-committed", started=True, called=True, recorded=True),
]

_WORLDS = 3

Death = tuple[Point, UUID, datetime]


async def at_each_point(*, full: bool) -> Outcome:
    """In a few worlds side by side, one death at a time in each, with a replica beside it that lives."""
    shares = [POINTS[number::_WORLDS] for number in range(_WORLDS)]
    parts = await asyncio.gather(*(_part(share, 20 if full else 2) for share in shares))
    together = Outcome(figures={"deaths": 0, "runs": 0})
    for part in parts:
        together.figures = {name: together.figures[name] + part.figures[name] for name in together.figures}
        together.wrong += part.wrong
        together.lags, together.marks = [*together.lags, *part.lags], [*together.marks, *part.marks]
    return together


async def _part(points: Sequence[Point], times: int) -> Outcome:
    async with world() as scene:
        await scene.add_replicas(1)
        await _post(scene)
        deaths: list[Death] = []
        for point in list(points) * times:
            deaths += await _die(scene, point)
        end = await scene.ledger.now()
        found = await scene.finish(end)
        facts = await scene.facts(end)
    outcome = Outcome.of(found, scene.marks)
    outcome.figures = {"deaths": len(points) * times, "runs": len(deaths)}
    outcome.wrong += judge(facts, deaths)
    return outcome


async def _post(scene: World) -> None:
    """Jittered runs are pending first, so that they are started apart from their claim.

    Each replica claims the jobs that prefer it: of ten, one victim in a thousand would be preferred by none, and live.
    """
    for prefix, jitter in (("plain", 0.0), ("late", 1.0)):
        for delivery in ("at_least_once", "at_most_once"):
            name = f"{prefix}-{delivery}"
            await scene.post_jobs(name, 10, path="/slow/300", delivery=delivery, jitter_seconds=jitter)


async def _die(scene: World, point: Point) -> list[Death]:
    """The next death comes when the runs of this one have gone to the other replica."""
    victim = Replica(scene.url, SETTINGS, environment={"FAULTS_DIE_AT": point.name}, module="faults.replica")
    scene.replicas.append(victim)
    await victim.launch()
    try:
        line = await asyncio.to_thread(victim.process.wait_for_line, DIED, timeout=60)
    except AssertionError as error:
        raise AssertionError(f"at {point.name}: {error}") from error
    scene.mark(point.name)
    scene.replicas.remove(victim)
    await victim.kill()
    await asyncio.sleep(LEASE + 1.2)
    _, runs = json.loads(line.removeprefix(DIED))
    return [(point, UUID(job), datetime.fromisoformat(at)) for job, at in runs]


def judge(facts: Facts, deaths: Iterable[Death]) -> Iterator[str]:
    """What each run that a death concerned has come to; deaths that concern one run add up."""
    concerned: dict[tuple[UUID, datetime], list[Point]] = defaultdict(list)
    for point, job, at in deaths:
        concerned[job, at].append(point)
    runs = {(run.job, run.scheduled_for): run for run in facts.runs}
    once = {job.uid for job in facts.jobs if job.at_most_once}
    calls: dict[UUID, int] = defaultdict(int)
    for call in facts.calls:
        calls[call.key] += 1
    for (job, at), points in concerned.items():
        if at <= facts.end:
            yield from _fate(runs.get((job, at)), points, calls, at_most_once=job in once)


def _fate(run: Run | None, points: Sequence[Point], calls: dict[UUID, int], *, at_most_once: bool) -> Iterator[str]:
    names = ", ".join(point.name for point in points)
    if run is None:
        yield f"{names}: a run has gone"
        return
    wanted = expected(points, at_most_once=at_most_once)
    seen = run.state, run.attempt, calls[run.id]
    if seen != wanted:
        yield f"{names}: run {run.id} is (state, attempt, calls) {seen}, and {wanted} was to be expected"


def expected(points: Sequence[Point], *, at_most_once: bool) -> tuple[str, int, int]:
    """State, attempt and calls."""
    attempt = sent = 0
    for point in points:
        if point.recorded:
            return "succeeded", attempt + 1, sent + 1
        attempt += point.started
        sent += point.called
        if point.started and at_most_once:
            return "lost", attempt, sent
    return "succeeded", attempt + 1, sent + 1
