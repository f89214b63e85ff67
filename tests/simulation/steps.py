"""All steps, with how often they are taken; and taking one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from app.domain.errors import CronledgerError, StoreUnavailable
from tests.simulation import people
from tests.simulation.people import JOBS
from tests.simulation.replica import SimReplica
from tests.simulation.world import World

EVERYTHING_EVERY = 500


@dataclass(frozen=True, slots=True)
class WorldStep:
    """`ready` says whether there is anything to do."""

    name: str
    weight: float
    act: Callable[[World], Awaitable[str]]
    ready: Callable[[World], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class ReplicaStep:
    """Taken by a replica, at most once in so many seconds."""

    name: str
    weight: float
    act: Callable[[SimReplica], Awaitable[None]]
    ready: Callable[[SimReplica], bool] = lambda _: True
    every: float = 0.0


def _has_pending(replica: SimReplica) -> bool:
    return replica.may_start and bool(replica._world.mirror.pending)


def _is_due(replica: SimReplica) -> bool:
    wakeup = replica.memory.entries.next_wakeup()
    return replica.may_start and _free(replica, "ticker") and wakeup is not None and wakeup <= replica.now()


def _may_leave(replica: SimReplica) -> bool:
    memory = replica.memory
    return memory.draining and not memory.calls and not memory.results and not memory.unlearned


def _free(replica: SimReplica, loop: str) -> bool:
    return loop not in replica.memory.unlearned


ADVANCE = WorldStep("advance", 6, people.advance)
CALL_BACK = WorldStep("call back", 1, people.call_back, lambda world: bool(people.due_callbacks(world)))
STOP = WorldStep("turn the switch", 0.01, people.turn_switch, lambda world: not world.stopped)
GO_ON = WorldStep("turn the switch", 0.1, people.turn_switch, lambda world: world.stopped)
CREATE = WorldStep("create", 0.8, people.create, lambda world: len(world.jobs) < JOBS)

WORLD: list[WorldStep] = [
    ADVANCE,
    CALL_BACK,
    WorldStep("step the clock", 0.3, people.step_clock),
    WorldStep("change back in time", 0.2, people.change_back_in_time, lambda world: not world.steady),
    WorldStep("skew a clock", 0.1, people.skew_clock),
    CREATE,
    WorldStep("reschedule", 0.3, people.reschedule),
    WorldStep("edit", 0.3, people.edit),
    WorldStep("change slowly", 0.3, people.change_slowly),
    WorldStep("move", 0.1, people.move),
    WorldStep("pause", 0.25, people.pause),
    WorldStep("resume", 0.4, people.resume),
    WorldStep("delete", 0.3, people.delete, lambda world: len(world.jobs) > JOBS * 0.8),
    WorldStep("trigger", 0.3, people.trigger),
    WorldStep("cancel", 0.4, people.cancel),
    WorldStep("retry", 0.2, people.retry),
    STOP,
    GO_ON,
    WorldStep("put a limit", 0.15, people.put_limit),
    WorldStep("remove a limit", 0.05, people.remove_limit),
    WorldStep("change the law", 0.05, people.change_the_law),
    WorldStep("crash", 0.12, people.crash),
    WorldStep("freeze", 0.06, people.freeze),
]

REPLICA: list[ReplicaStep] = [
    ReplicaStep("tick", 6, SimReplica.tick, _is_due),
    ReplicaStep(
        "start", 5, SimReplica.start, lambda r: r.may_start and _free(r, "dispatcher") and bool(r.ready_to_start)
    ),
    ReplicaStep(
        "look for pending", 2, SimReplica.look_for_pending, lambda r: _has_pending(r) and bool(r.memory.slots.free), 20
    ),
    ReplicaStep(
        "look at gates",
        3,
        SimReplica.look_at_gates,
        lambda r: bool(r._world.mirror.held_up) and bool(r.memory.slots.free),
        20,
    ),
    ReplicaStep("expire", 1, SimReplica.expire, _has_pending, 60),
    ReplicaStep("time out", 1, SimReplica.time_out, lambda r: bool(r._world.mirror.waiting), 60),
    ReplicaStep("finish", 5, SimReplica.finish, lambda r: bool(r.ended_calls())),
    ReplicaStep("record", 4, SimReplica.record, lambda r: bool(r.memory.results) and _free(r, "recorder")),
    ReplicaStep("beat", 12, SimReplica.beat, every=250),
    ReplicaStep("bury", 1, SimReplica.bury, every=300),
    ReplicaStep(
        "settle doubts",
        2,
        SimReplica.settle_doubts,
        lambda r: r.memory.in_doubt and _free(r, "ticker") and _free(r, "dispatcher"),
    ),
    ReplicaStep(
        "settle doubts", 1, SimReplica.settle_doubts, lambda r: _free(r, "ticker") and _free(r, "dispatcher"), 600
    ),
    ReplicaStep("cut what was canceled", 2, SimReplica.cut_canceled, lambda r: bool(r.memory.calls), 60),
    ReplicaStep("watch the lease", 3, SimReplica.watch_lease, lambda r: r.lease_has_ended and bool(r.memory.calls)),
    ReplicaStep("end pauses", 1, SimReplica.end_pauses, every=300),
    ReplicaStep("pause the failing", 1, SimReplica.pause_failing, every=300),
    ReplicaStep("reread", 3, SimReplica.reread, lambda r: bool(r.memory.told)),
    ReplicaStep("poll", 1, SimReplica.poll, every=120),
    ReplicaStep("compare", 1, SimReplica.compare, every=1200),
    ReplicaStep("drain", 0.03, SimReplica.drain, lambda r: not r.memory.draining and not r._world.calm),
    ReplicaStep("leave", 3, SimReplica.leave, _may_leave),
    ReplicaStep("learn", 3, SimReplica.learn, lambda r: bool(r.memory.unlearned)),
]
JOIN = ReplicaStep("join", 0.5, SimReplica.join)
LOAD = ReplicaStep("load", 4, SimReplica.load)


async def take_one(world: World) -> None:
    """Raises Violation."""
    world.number += 1
    ready = list(_ready(world))
    step, actor = world.rng.choices(ready, [step.weight for step, _ in ready])[0]
    await (take(world, step) if isinstance(step, WorldStep) else _take_as(actor, step))
    if world.number % EVERYTHING_EVERY == 0:
        await world.check_everything()


async def take(world: World, step: WorldStep) -> None:
    """What people ask for may well be refused. Raises Violation."""
    try:
        note = await step.act(world)
    except StoreUnavailable:
        raise
    except CronledgerError as error:
        note = f"refused: {error}"
    people.tell_one(world)
    await world.settle(step.name, None, None, note)


async def _take_as(actor: SimReplica | None, step: ReplicaStep) -> None:
    assert actor is not None, "somebody's step"
    world, writer = actor._world, actor.id
    actor.memory.looked[step.name] = world.clock.monotonic()
    await step.act(actor)
    await world.settle(step.name, actor, writer, "")


def _ready(world: World) -> Iterator[tuple[WorldStep | ReplicaStep, SimReplica | None]]:
    for step in [ADVANCE, CALL_BACK] if world.calm else WORLD:
        if step.ready(world):
            yield step, None
    for replica in world.replicas:
        for each in _of(replica):
            yield each, replica


def _of(replica: SimReplica) -> Iterator[ReplicaStep]:
    if replica.frozen:
        return
    if replica.id is None:
        yield JOIN
    elif replica.memory.polled_to is None:
        yield LOAD
    else:
        now, looked = replica._world.clock.monotonic(), replica.memory.looked
        for step in REPLICA:
            if now - looked.get(step.name, float("-inf")) >= step.every and step.ready(replica):
                yield step
