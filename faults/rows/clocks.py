"""F6 and F10: clocks that are wrong and are put on, and an outage of three hours."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from faults.due import due
from faults.facts import Facts, Job
from faults.outcome import Outcome
from faults.rows.load import BOUND
from faults.world import SETTINGS, World, world
from tests.mess.clock import Clock, clock_from
from tests.servers.replica import Replica

_OFF = timedelta(seconds=300)
_HOUR = timedelta(hours=1)
_SKEW = re.compile(r"^cronledger_clock_skew_seconds (\S+)$", re.MULTILINE)
_RATE = 10
_ROWS = 100
_MINUTE = timedelta(minutes=1)
_OUTAGE = timedelta(hours=3)


async def wrong(*, full: bool) -> Outcome:
    """PostgreSQL's clock is 300 s ahead, one replica's 300 s behind and then stepped by an hour, on and back."""
    with _off(_OFF) as clock, _off(-_OFF) as other:
        async with world(clock=clock) as scene:
            await scene.add_replicas(1)
            await scene.start(Replica(scene.url, SETTINGS, environment=other.environment))
            await scene.post_jobs("plain", 60 if full else 20)
            await scene.post_jobs("slow", 20 if full else 10, path="/slow/300")
            for name, step in (("an hour on", _HOUR), ("two hours back", -2 * _HOUR), ("an hour on", _HOUR)):
                await asyncio.sleep(60 if full else 6)
                scene.mark(f"one replica's clock {name}")
                other.put_on(other.now() + step)
            await asyncio.sleep(60 if full else 6)
            skews = [await _skew(replica) for replica in scene.replicas]
            outcome = Outcome.of(await scene.finish(), scene.marks, skews=skews)
            if not all(abs(seen - is_) < 2 for seen, is_ in zip(skews, (300, 600), strict=True)):
                outcome.wrong.append(f"the replicas tell of skews of {skews} s, and they are 300 and 600")
            if outcome.figures["lag_p99"] > BOUND:
                told = outcome.wrong if full else outcome.notes
                told.append(f"lag p99 is over {BOUND:g} s on this machine under this load")
            return outcome


async def outage(*, full: bool) -> Outcome:
    """Nobody is there for three hours of the database's clock; of each misfire policy there are jobs of each minute."""
    del full  # there is one form
    begin = datetime.now(UTC).replace(second=40, microsecond=0)
    with clock_from(begin) as clock:
        async with world(clock=clock) as scene:
            first = await scene.add_replicas(2, CATCH_UP_RATE=str(_RATE))
            policies = {policy: await _post(scene, policy) for policy in ("latest", "earliest", "all", "skip")}
            await _until_second(clock, 8)
            scene.mark("down")
            await asyncio.gather(*(replica.kill() for replica in first))
            await scene.step((_OUTAGE + timedelta(seconds=7)).total_seconds())
            scene.mark("up")
            await scene.start(*first)
            end = await scene.ledger.now()
            await scene.settle(end, patience=90)
            await scene.stop()
            facts = await scene.facts(end)
            outcome = Outcome(figures={"jobs": len(scene.jobs)}, marks=scene.marks)
            for policy, jobs in policies.items():
                for job in jobs:
                    outcome.wrong += _count(facts, job, policy)
            outcome.wrong += _rate(facts, outcome)
            return outcome


async def _skew(replica: Replica) -> int:
    """Seconds by which the database is ahead of it, as it tells itself."""
    async with httpx2.AsyncClient(timeout=10) as client:
        told = _SKEW.search((await client.get(f"{replica.url}/metrics")).text)
    return round(float(told[1])) if told else 0


@contextmanager
def _off(by: timedelta) -> Iterator[Clock]:
    with clock_from(datetime.now(UTC) + by) as clock:
        yield clock


async def _post(scene: World, policy: str) -> list[Job]:
    return await scene.post_jobs(policy, 2, every=60, misfire={"policy": policy, "max": _ROWS})


async def _until_second(clock: Clock, second: int) -> None:
    """Past the minute's begin, so that the minute's instant has run, and the next one is far."""
    while clock.now().second not in range(second, second + 10):
        await asyncio.sleep(0.2)


def _count(facts: Facts, job: Job, policy: str) -> Iterator[str]:
    """The newest hundred misfires have a row each, the others are one span; what is within the grace runs late."""
    runs = [run for run in facts.runs if run.job == job.uid and run.scheduled_for <= facts.end]
    spans = [span for span in facts.spans if span.job == job.uid]
    listed = due(job, facts.end)
    caught = sum(run.trigger == "catch_up" for run in runs)
    on_time = sum(run.trigger == "schedule" and run.state == "succeeded" for run in runs)
    misfires = len(listed) - on_time
    wanted = Counter({"catch_up": {"latest": 1, "earliest": 1, "all": _ROWS, "skip": 0}[policy]})
    wanted["missed"] = min(misfires, _ROWS) - wanted["catch_up"]
    seen = Counter({"catch_up": caught, "missed": sum(run.state == "missed" for run in runs)})
    if seen != wanted:
        yield f"{job.name}: {dict(seen)} of {misfires} misfires, and {dict(wanted)} was to be expected"
    in_spans = sum(span.count or 0 for span in spans)
    if in_spans != misfires - min(misfires, _ROWS):
        yield f"{job.name}: spans count {in_spans} of {misfires} misfires, {_ROWS} of which have rows"
    if not 0 <= misfires - _OUTAGE // _MINUTE + 2 <= 4:
        yield f"{job.name}: {misfires} misfires in an outage of {_OUTAGE}"
    if any(run.state not in ("succeeded", "missed") for run in runs):
        yield f"{job.name}: {Counter(run.state for run in runs)}"
    calls: dict[Any, int] = Counter(call.key for call in facts.calls)
    yield from (
        f"{job.name}: run {run.id} has {calls[run.id]} calls"
        for run in runs
        if calls[run.id] != (run.state == "succeeded")
    )


def _rate(facts: Facts, outcome: Outcome) -> Iterator[str]:
    """In no second more than the rate, and as many again for a bucket that was full."""
    came = sorted(call.at for call in facts.calls if call.trigger == "catch_up")
    most = max((sum(at <= later < at + 1 for later in came) for at in came), default=0)
    outcome.figures |= {"caught_up": len(came), "most_in_a_second": most, "rate": _RATE}
    if most > 2 * _RATE:
        yield f"{most} runs were caught up in one second, at a rate of {_RATE}"
