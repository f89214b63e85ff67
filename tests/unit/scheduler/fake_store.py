"""Every port in memory, for loops that must meet a fault at a chosen moment. What a ledger does, the real ones show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.claim import Candidate, Claims, Finished, Held, Opened, Paused, Queued, Recorded, Slots, Started, Starts
from app.domain.clock import Clock
from app.domain.entries import JobRow
from app.domain.errors import StoreUnavailable
from app.domain.identity import occurrence_id
from app.domain.replica import Peer, Role, Vitals
from app.domain.run import Call, State, Trigger


class FakeStore:
    """`before` and `after` hold what a method, by its name, is to raise before or after it did its work, once each.

    The jobs of `busy_runs` are locked by somebody else. A method named in `held` waits until its event is set, its work
    done and not told yet.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.jobs: dict[int, JobRow] = {}
        self.hosts: dict[int, str] = {}
        self.pending_runs: list[Queued] = []
        self.held_up: list[Queued] = []
        self.busy_runs: set[UUID] = set()
        self.locked_jobs: set[int] = set()
        self.gates_open = False
        self.owners: dict[UUID, tuple[UUID, int]] = {}
        self.recorded: list[Finished] = []
        self.returned: list[dict[UUID, int]] = []
        self.set_asides: list[tuple[int, str]] = []
        self.failing = Paused()
        self.timed_out = Recorded()
        self.expired = Recorded()
        self.joined: list[UUID] = []
        self.replicas: list[Peer] = []
        self.vitals: list[Vitals] = []
        self.cancels: set[Held] = set()
        self.resumed: list[int] = []
        self.to_audit: list[bool] = []
        self.alive = True
        self.down = False
        self.buried: list[tuple[State, Trigger]] = []
        self.before: dict[str, list[BaseException]] = {}
        self.after: dict[str, list[BaseException]] = {}
        self.held: dict[str, asyncio.Event] = {}
        self.calls: list[str] = []
        self.rounds_left = 0
        self._called = asyncio.Condition()

    async def until_called(self, name: str, times: int = 1) -> None:
        async with asyncio.timeout(10), self._called:
            await self._called.wait_for(lambda: self.calls.count(name) >= times)

    async def time(self) -> datetime:
        async with self._doing("time"):
            return self.clock.now()

    async def enabled_page(self, after_id: int, limit: int) -> list[JobRow]:
        async with self._doing("enabled_page"):
            return [self.jobs[key] for key in sorted(self.jobs) if key > after_id][:limit]

    async def enabled_among(self, ids: Collection[int]) -> list[JobRow]:
        async with self._doing("enabled_among"):
            return [self.jobs[key] for key in sorted(ids) if key in self.jobs]

    async def changed_since(self, since: datetime) -> list[int]:  # noqa: ARG002  # all of them, at any time
        async with self._doing("changed_since"):
            return list(self.jobs)

    async def versions_page(self, after_id: int, limit: int) -> list[tuple[int, int]]:
        async with self._doing("versions_page"):
            return [(key, self.jobs[key].version) for key in sorted(self.jobs) if key > after_id][:limit]

    async def waiting(self, ids: Iterable[int]) -> dict[int, tuple[int, datetime]]:
        async with self._doing("waiting"):
            return {key: (self.jobs[key].version, self.jobs[key].next_run) for key in ids if key in self.jobs}

    async def set_aside(self, job_id: int, version: int, problem: str) -> bool:  # noqa: ARG002  # the port's
        async with self._doing("set_aside"):
            if job_id in self.locked_jobs:
                return False
            self.set_asides.append((job_id, problem))
            del self.jobs[job_id]
            return True

    async def claim(
        self,
        replica: UUID,
        candidates: Sequence[Candidate],
        slots: Slots,
        done: Collection[Held] = (),  # noqa: ARG002  # the port's
    ) -> Claims:
        """Every candidate wins whose row is as it has it."""
        async with self._doing("claim"):
            claims = Claims()
            for candidate in candidates:
                if self.jobs.get(candidate.job.id) is candidate.job:
                    self._win(claims, candidate, replica, slots)
                else:
                    claims.stale.append(candidate)
            return claims

    async def start(
        self,
        replica: UUID,
        queued: Sequence[Queued],
        done: Collection[Held] = (),  # noqa: ARG002  # the port's
    ) -> Starts:
        async with self._doing("start"):
            busy = [run for run in queued if run.run_id in self.busy_runs]
            queued = [run for run in queued if run not in busy]
            held_up = [run for run in self.held_up if self.gates_open]
            asked = {run.run_id for run in queued}
            found = [run for run in (*self.pending_runs, *held_up) if run.run_id in asked]
            for run in found:
                (self.pending_runs if run in self.pending_runs else self.held_up).remove(run)
                self.owners[run.run_id] = replica, 1
            return Starts([started(run.run_id, run.ledger_at, run.host) for run in found], busy)

    async def pending(self, limit: int, full_hosts: Collection[str], overdue: timedelta) -> list[Queued]:  # noqa: ARG002  # all are
        async with self._doing("pending"):
            return [run for run in self.pending_runs if run.host not in full_hosts][:limit]

    async def opened(
        self,
        limit: int,
        full_hosts: Collection[str],
        crowded_hosts: Collection[str] = (),  # noqa: ARG002  # nothing here is caught up
        passed_over: Collection[UUID] = (),
    ) -> Opened:
        async with self._doing("opened"):
            runs = [run for run in self.held_up if self.gates_open and run.host not in full_hosts]
            runs = [run for run in runs if run.run_id not in passed_over]
            return Opened(runs[:limit], waited_for=bool(self.held_up))

    async def expire(self) -> Recorded:
        async with self._doing("expire"):
            expired, self.expired = self.expired, Recorded()
            return expired

    async def time_out(self) -> Recorded:
        async with self._doing("time_out"):
            timed_out, self.timed_out = self.timed_out, Recorded()
            self.pending_runs += timed_out.queued
            return timed_out

    async def record(self, replica: UUID, finished: Sequence[Finished]) -> Recorded:
        """Every outcome ends its run; what was cut off is pending again."""
        async with self._doing("record"):
            busy = [each for each in finished if each.started.call.run_id in self.busy_runs]
            finished = [each for each in finished if each not in busy]
            held = [each for each in finished if self.owners.get(each.started.call.run_id, (replica,))[0] == replica]
            self.recorded += held
            return Recorded({each.started.call.run_id: _state(each) for each in held}, busy=busy)

    async def asked(self, replica: UUID) -> set[Held]:  # noqa: ARG002  # the port's
        async with self._doing("asked"):
            return set(self.cancels)

    async def end_due(self) -> list[int]:
        async with self._doing("end_due"):
            ended, self.resumed = self.resumed, []
            return ended

    async def pause_failing(self) -> Paused:
        async with self._doing("pause_failing"):
            paused, self.failing = self.failing, Paused()
            return paused

    async def join(self, replica: UUID, hostname: str, version: str, role: Role) -> None:  # noqa: ARG002  # the port's
        async with self._doing("join"):
            self.joined.append(replica)
            self.alive = True

    async def beat(self, replica: UUID, vitals: Vitals) -> bool:  # noqa: ARG002  # the port's
        async with self._doing("beat"):
            self.vitals.append(vitals)
            return self.alive

    async def peers(self) -> list[Peer]:
        async with self._doing("peers"):
            return list(self.replicas)

    async def bury(self, lease: timedelta) -> list[tuple[State, Trigger]]:  # noqa: ARG002  # the port's
        async with self._doing("bury"):
            return self.buried

    async def leave(self, replica: UUID) -> None:  # noqa: ARG002  # the port's
        async with self._doing("leave"):
            self.alive = False

    async def owned(self, replica: UUID) -> dict[UUID, int]:
        async with self._doing("owned"):
            return {run_id: fence for run_id, (owner, fence) in self.owners.items() if owner == replica}

    async def hand_back(self, replica: UUID, runs: dict[UUID, int]) -> int:  # noqa: ARG002  # the port's
        async with self._doing("hand_back"):
            self.returned.append(runs)
            return len(runs)

    async def audit(self) -> bool:
        async with self._doing("audit"):
            return bool(self.to_audit) and self.to_audit.pop()

    async def tend(self) -> bool:
        async with self._doing("tend"):
            self.rounds_left -= self.rounds_left > 0
            return self.rounds_left > 0

    def _win(self, claims: Claims, candidate: Candidate, replica: UUID, slots: Slots) -> None:
        claims.won.append(candidate)
        host = self.hosts.get(candidate.job.id, "one.example:80")
        for run in (each for each in candidate.plan.runs if each.state is State.PENDING):
            run_id = occurrence_id(candidate.job.uid, run.occurrence)
            if slots.admit(host):
                self.owners[run_id] = replica, 1
                claims.started.append(started(run_id, run.occurrence, host))
            else:
                claims.queued.append(Queued(run_id, run.occurrence, host))
                self.pending_runs.append(claims.queued[-1])

    @asynccontextmanager
    async def _doing(self, name: str) -> AsyncIterator[None]:
        async with self._called:
            self.calls.append(name)
            self._called.notify_all()
        if self.down:
            raise away()
        _raise_next(self.before.get(name))
        yield
        if name in self.held:
            async with asyncio.timeout(10):
                await self.held[name].wait()
        _raise_next(self.after.get(name))


def _state(run: Finished) -> State:
    if run.outcome is None:
        return State.PENDING
    return State.SUCCEEDED if run.outcome.succeeded else State.FAILED


def _raise_next(faults: list[BaseException] | None) -> None:
    if faults:
        raise faults.pop(0)


def away() -> StoreUnavailable:
    error = StoreUnavailable()
    error.__cause__ = ConnectionRefusedError()
    return error


def started(run_id: UUID, at: datetime, host: str = "one.example:80", fence: int = 1) -> Started:
    call = Call(
        run_id=run_id,
        job_id=UUID(int=1),
        job_name="job",
        job_version=1,
        scheduled_for=at,
        trigger=Trigger.SCHEDULE,
        attempt=fence,
        endpoint=f"http://{host}/hook",
        method="POST",
        headers={},
        body=None,
        timeout_seconds=30,
    )
    return Started(call, at, fence, host, at)
