"""What people do, and time: the steps that are no replica's. Each may say what it did in a few words."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from app.domain.callback import Said
from app.domain.errors import CronledgerError
from app.domain.job import PersistedJob
from app.service.limits import LimitService
from app.service.recompute import recompute
from tests.simulation import jobs
from tests.simulation.world import Callback, World

JOBS = 50
_LONGEST_STEP = 3.0


async def advance(world: World) -> str:
    """To the next thing that is to happen, or by as much as lets the whole time pass in the steps that are left."""
    world.advances += 1
    left = (world.end - world.clock.now()).total_seconds()
    to_come = max((world.steps - world.number) * world.advances / max(world.number, 1), 1)
    mean = 10.0 if world.calm else max(left / to_come, 0.001)
    following = _next_thing(world)
    if following is None or world.rng.random() < 0.5:
        by = world.rng.expovariate(1 / mean) * 2
    else:
        by = min(following + world.rng.choice([0.0, 0.000001, world.rng.random()]), 10 * mean)
    await world.clock.advance(timedelta(seconds=by))
    return f"by {by:.6f} s"


async def step_clock(world: World) -> str:
    by = timedelta(seconds=world.rng.uniform(0 if world.steady else -_LONGEST_STEP, _LONGEST_STEP))
    world.clock.step(by)
    return f"by {by.total_seconds():.6f} s"


async def change_back_in_time(world: World) -> str:
    """The clock is set back, and then a job changes: the one that was claimed last, or that was changed last."""
    by = timedelta(seconds=-world.rng.uniform(0, _LONGEST_STEP))
    world.clock.step(by)
    known = [job.name for job in world.jobs.values() if job.uid == world.mirror.last_claimed]
    known += [name for name in [*world.hot][-1:] if name in world.jobs]
    name, act = world.rng.choice(known or list(world.jobs)), world.rng.choice([reschedule, edit, pause, resume])
    done = await (turn_switch(world) if world.rng.random() < 0.1 else act(world, name))
    return f"by {by.total_seconds():.6f} s, {done}"


async def skew_clock(world: World) -> str:
    """One replica's idea of the database's time is off for a while."""
    replica = world.rng.choice(world.replicas)
    replica.skew = timedelta(seconds=world.rng.choice([0, 0, world.rng.uniform(-2, 2)]))
    return f"of {replica.name} by {replica.skew.total_seconds():.6f} s"


async def create(world: World) -> str:
    world.created += 1
    job = await world.ledger.jobs.create(jobs.definition(world.rng, f"job-{world.created}", world.clock.now()))
    return _changed(world, job)


async def reschedule(world: World, name: str | None = None) -> str:
    return _changed(world, await world.ledger.patch(name or _any(world), **jobs.when(world.rng, world.clock.now())))


async def edit(world: World, name: str | None = None) -> str:
    return _changed(world, await world.ledger.patch(name or _any(world), **jobs.manners(world.rng, world.clock.now())))


async def change_slowly(world: World) -> str:
    """In a transaction that took long from its stamp to its commit: nobody is told, and no poll looks so far back."""
    acts = [reschedule, edit, resume] if len(world.jobs) >= JOBS else [create]
    done = await world.rng.choice(acts)(world)
    await world.ledger.overwrite(world.jobs[world.hot[-1]], updated_at=world.clock.now() - timedelta(hours=1))
    world.ledger.heard.changed.clear()
    return done


async def move(world: World) -> str:
    return _changed(world, await world.ledger.patch(_any(world), endpoint=jobs.endpoint(world.rng)))


async def pause(world: World, name: str | None = None) -> str:
    later = world.clock.now() + timedelta(seconds=world.rng.expovariate(1 / 7200))
    note, until = world.rng.choice([(None, None), ("enough", None), (None, later), ("a while", later)])
    name = name or _any(world)
    return _changed(world, await world.ledger.jobs.set_enabled(name, enabled=False, note=note, until=until))


async def resume(world: World, name: str | None = None) -> str:
    return _changed(world, await world.ledger.jobs.set_enabled(name or _any(world), enabled=True))


async def delete(world: World) -> str:
    job = world.jobs.pop(_any(world))
    await world.ledger.jobs.delete(job.name)
    world.touched.add(job.uid)
    del world.rules.policies[job.uid]
    return job.name


async def trigger(world: World) -> str:
    return str((await world.ledger.runs.trigger(_any(world))).id)


async def cancel(world: World) -> str:
    return str((await world.ledger.runs.cancel(_any_run(world, goes_on=True))).id)


async def retry(world: World) -> str:
    return str((await world.ledger.runs.retry(_any_run(world, goes_on=False))).id)


async def call_back(world: World) -> str:
    """A target says what became of an attempt that it accepted, or that it is still at it."""
    callback = world.rng.choice(due_callbacks(world))
    said = world.rng.choice([Said.SUCCEEDED] if world.calm else list(Said))
    world.callbacks.remove(callback)
    if said is Said.HEARTBEAT:
        world.callbacks.append(Callback(world.clock.monotonic() + world.rng.uniform(0, 300), callback.started))
    call = callback.started.call
    assert call.callback_token is not None, "it was sent one"
    await world.ledger.callbacks.report(call.run_id, call.callback_token, said, None, None)
    return f"{call.run_id} {said}"


def due_callbacks(world: World) -> list[Callback]:
    return [callback for callback in world.callbacks if callback.at <= world.clock.monotonic()]


async def turn_switch(world: World) -> str:
    world.stopped = not world.stopped
    await (world.ledger.switch.pause() if world.stopped else world.ledger.switch.resume())
    world.touched |= {job.uid for job in world.jobs.values()}
    return "off" if world.stopped else "on"


async def put_limit(world: World) -> str:
    key, most = world.rng.choice(jobs.KEYS), world.rng.choice([None, 1, 2, 3])
    rate = world.rng.choice([None, None, 0.05, 1.0])
    await LimitService(world.ledger.database).put(key, most, rate)
    world.rules.limits[key] = most
    return f"{key}: {most} at once, {rate} a second"


async def remove_limit(world: World) -> str:
    key = world.rng.choice(jobs.KEYS)
    await LimitService(world.ledger.database).delete(key)
    del world.rules.limits[key]
    return key


async def change_the_law(world: World) -> str:
    """The rules under which next times are computed are newer than those of a few jobs."""
    for name in {_any(world) for _ in range(3)}:
        await world.ledger.overwrite(world.jobs[name], computed_under="")
        world.touched.add(world.jobs[name].uid)
    return f"{await recompute(world.ledger.database)} jobs"


async def crash(world: World) -> str:
    replica = world.rng.choice(world.replicas)
    replica.crash()
    return replica.name


async def freeze(world: World) -> str:
    replica = world.rng.choice(world.replicas)
    replica.frozen_until = world.clock.monotonic() + world.rng.uniform(0, 2000)
    return replica.name


def tell_one(world: World) -> None:
    """At most the replica whose process served the request is told at once; the others see for themselves."""
    heard = world.ledger.heard
    if world.rng.random() < 0.5:
        world.rng.choice(world.replicas).tell(heard.changed, heard.queued)
    heard.changed, heard.queued = [], []


def _changed(world: World, job: PersistedJob) -> str:
    world.jobs[job.name] = job
    world.hot.append(job.name)
    world.rules.know(job.uid, job.policies)
    world.touched.add(job.uid)
    return f"{job.name} is at version {job.version}: {job.schedule}"


def _any(world: World) -> str:
    """Rather often one that was changed just now: what comes in quick succession goes wrong first."""
    if world.rng.random() < 0.4 and (hot := [name for name in world.hot if name in world.jobs]):
        return world.rng.choice(hot)
    return world.rng.choice(list(world.jobs))


def _any_run(world: World, *, goes_on: bool) -> UUID:
    """One of the last; the services refuse what does not fit."""
    if goes_on:
        known = sorted(world.mirror.unended)
    else:
        known = [run_id for run_id in list(world.mirror.runs)[-200:] if run_id not in world.mirror.unended]
    if not known:
        raise CronledgerError("There is no such run.")
    return world.rng.choice(known)


def _next_thing(world: World) -> float | None:
    """Seconds until something is to happen that has not happened yet."""
    now, since = world.clock.now(), world.clock.monotonic()
    due = [replica.memory.entries.next_wakeup() for replica in world.replicas]
    due += [world.mirror.runs[run].due_at for run in world.mirror.pending | world.mirror.waiting]
    to_come = [(at - now).total_seconds() for at in due if at is not None]
    to_come += [call.ends - since for replica in world.replicas for call in replica.memory.calls.values()]
    to_come += [callback.at - since for callback in world.callbacks]
    return min((each for each in to_come if each > 0), default=None)
