"""Gates: what may keep a pending run that is due from its start. Counts go in, decisions come out; no I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never
from uuid import UUID

from app.domain.namespace import plain
from app.domain.policies import Overlap, Policies
from app.domain.run import Trigger

CATCH_UP_RATE = "catch-up rate"
"""What runs wait for that are caught up: these are spread, over all jobs."""

CATCH_UP_KEY = "cronledger:catch-up"
"""The limit behind it. No job can name it."""

_JOB, _LIMIT, BACKFILL = "job ", "limit ", "backfill "


@dataclass(frozen=True, slots=True)
class Asking:
    """A pending run that is due. `attempt` counts its calls so far, `waiting_for` is what held it up before."""

    run_id: UUID
    job_id: UUID
    trigger: Trigger
    policies: Policies
    attempt: int = 0
    waiting_for: str | None = None
    backfill_id: UUID | None = None

    @property
    def minds_its_job(self) -> bool:
        """Whether other runs of its job concern it: people's ask nobody."""
        if self.trigger is Trigger.SCHEDULE:
            return self.policies.overlap is not Overlap.ALLOW
        return self.trigger in {Trigger.CATCH_UP, Trigger.BACKFILL}

    def minds(self, other: Trigger) -> bool:
        """Whether a run of its job that exists for that reason concerns it.

        What is caught up and what is backfilled keep apart. What is scheduled and what is backfilled don't meet.
        """
        if self.trigger is Trigger.BACKFILL:
            return other is Trigger.CATCH_UP
        return self.trigger is Trigger.CATCH_UP or other is not Trigger.BACKFILL

    @property
    def limits(self) -> dict[str, str]:
        """The keys of the limits that concern it, by gate."""
        key = self.policies.concurrency_key
        limits = {} if key is None else {limit_gate(key): key}
        if self.trigger is Trigger.CATCH_UP and not self.attempt:
            limits[CATCH_UP_RATE] = CATCH_UP_KEY
        if self.backfill_id is not None and not self.attempt:
            limits[backfill_gate(self.backfill_id)] = backfill_gate(self.backfill_id)
        return limits

    @property
    def turn(self) -> str:
        """The gate at which it waits for other runs of its job."""
        return job_gate(self.job_id) if self.backfill_id is None else backfill_gate(self.backfill_id)


@dataclass(slots=True)
class Other:
    """A run of the same job that has begun and not ended, or is held up.

    `called` is one whose call is under way, `between` one that waits for its next attempt.
    """

    run_id: UUID
    trigger: Trigger
    called: bool = False
    between: bool = False
    waiting_for: str | None = None
    backfill_id: UUID | None = None

    @property
    def scheduled(self) -> bool:
        return self.trigger is Trigger.SCHEDULE


@dataclass(slots=True)
class Limit:
    """What a key allows just now: None is any number. While others wait for it, newcomers stand behind them."""

    max_concurrency: int | None = None
    tokens: float | None = None
    running: int = 0
    waited_for: bool = False

    @property
    def room(self) -> int | None:
        """How many may start."""
        free = [] if self.max_concurrency is None else [self.max_concurrency - self.running]
        free += [] if self.tokens is None else [int(self.tokens)]
        return max(min(free), 0) if free else None

    def admit(self) -> None:
        self.running += 1
        if self.tokens is not None:
            self.tokens -= 1


@dataclass(frozen=True, slots=True)
class Start:
    """`ends` are other runs of the job, over which this one takes."""

    ends: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Held up by the gate."""

    gate: str
    ends: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Skip:
    """Ended, and never called."""

    reason: str


Decision = Start | Wait | Skip


def job_gate(job_id: UUID) -> str:
    return f"{_JOB}{job_id}"


def limit_gate(key: str) -> str:
    return CATCH_UP_RATE if key == CATCH_UP_KEY else f"{_LIMIT}{key}"


def backfill_gate(backfill_id: UUID) -> str:
    """The limit behind it has the same name, which no job can have as its key."""
    return f"{BACKFILL}{backfill_id}"


def backfill_of(gate: str) -> UUID | None:
    """The backfill for whose turn a run waits."""
    return UUID(gate.removeprefix(BACKFILL)) if gate.startswith(BACKFILL) else None


def job_of(gate: str) -> UUID | None:
    """The job whose runs are waited for."""
    return UUID(gate.removeprefix(_JOB)) if gate.startswith(_JOB) else None


def key_of(gate: str) -> str | None:
    """The key of the limit that is waited for."""
    if gate == CATCH_UP_RATE:
        return CATCH_UP_KEY
    return gate.removeprefix(_LIMIT) if gate.startswith(_LIMIT) else None


def told_gate(gate: str) -> str:
    """As its job's owner knows it: a limit by its name."""
    return limit_gate(plain(gate.removeprefix(_LIMIT))) if gate.startswith(_LIMIT) else gate


@dataclass(slots=True)
class Gates:
    """The counts, as they are once jobs and limits are locked; `settle` keeps them true within a batch.

    `active` and `waiting` (its scheduled runs that are held up) are by job, `limits` by key. `newest` is the last
    scheduled run of the batch, by job. `caught_up` are the jobs of which what is to be caught up waits for the others.
    """

    active: dict[UUID, list[Other]] = field(default_factory=lambda: defaultdict(list))
    waiting: dict[UUID, list[Other]] = field(default_factory=lambda: defaultdict(list))
    limits: dict[str, Limit] = field(default_factory=dict)
    newest: dict[UUID, UUID] = field(default_factory=dict)
    caught_up: set[UUID] = field(default_factory=set)

    def expect(self, batch: Iterable[Asking]) -> None:
        """The runs that are going to be judged."""
        for run in batch:
            if run.trigger is Trigger.SCHEDULE:
                self.newest[run.job_id] = max(self.newest.get(run.job_id, run.run_id), run.run_id)

    def judge(self, run: Asking) -> Decision:
        """What is to become of the run; nothing is counted yet."""
        decision = self._among_its_job(run) if run.minds_its_job else Start()
        if isinstance(decision, Start) and (gate := self._closed_limit(run)) is not None:
            return Wait(gate, decision.ends)
        return decision

    def settle(self, run: Asking, decision: Decision) -> None:
        """Count what was decided, for those that are judged after it."""
        job = run.job_id
        gone = {run.run_id, *(() if isinstance(decision, Skip) else decision.ends)}
        self.waiting[job] = [each for each in self.waiting[job] if each.run_id not in gone]
        if isinstance(decision, Wait):
            gone.remove(run.run_id)
        self.active[job] = [each for each in self.active[job] if each.called or each.run_id not in gone]
        if isinstance(decision, Start):
            self.active[job].append(Other(run.run_id, run.trigger, called=True, backfill_id=run.backfill_id))
            for limit in self._limits(run).values():
                limit.admit()
        if isinstance(decision, Wait) and run.trigger is Trigger.SCHEDULE and not run.attempt:
            self.waiting[job].append(Other(run.run_id, run.trigger, waiting_for=decision.gate))
        if isinstance(decision, Wait) and run.trigger is Trigger.CATCH_UP and decision.gate == job_gate(job):
            self.caught_up.add(job)

    def _among_its_job(self, run: Asking) -> Decision:
        others = (each for each in self.active[run.job_id] if each.run_id != run.run_id)
        active = [each for each in others if run.minds(each.trigger)]
        if run.attempt:
            return self._go_on(run, active)
        if run.trigger is not Trigger.SCHEDULE:
            first = run.trigger is Trigger.BACKFILL and run.job_id in self.caught_up
            return Wait(run.turn) if active or first else Start()
        match run.policies.overlap:
            case Overlap.ALLOW:
                return Start()
            case Overlap.SKIP:
                return self._skip(run, active)
            case Overlap.QUEUE:
                return self._queue(run, active)
            case Overlap.CANCEL_PREVIOUS:
                return self._take_over(run, active)
        assert_never(run.policies.overlap)

    @staticmethod
    def _go_on(run: Asking, active: list[Other]) -> Decision:
        """A run that has begun goes on, and not beside another: one may have started on its success, which got lost."""
        return Wait(job_gate(run.job_id)) if any(not each.between for each in active) else Start()

    def _skip(self, run: Asking, active: list[Other]) -> Decision:
        """Also behind one that a limit holds up, or they would pile up there for as long as it is closed."""
        if active:
            return Skip(f"overlap: run {active[0].run_id} is active")
        ahead = next((each for each in self.waiting[run.job_id] if each.run_id < run.run_id), None)
        return Start() if ahead is None else Skip(f"overlap: run {ahead.run_id} waits")

    def _queue(self, run: Asking, active: list[Other]) -> Decision:
        """Where none is active, the first of those that wait is as good as started, and the others follow it."""
        gate = job_gate(run.job_id)
        if run.waiting_for is not None:
            return Wait(gate) if active else Start()
        ahead = self.waiting[run.job_id]
        if not active and not ahead:
            return Start()
        if len(ahead) - (not active) >= run.policies.max_queued:
            return Skip(f"overlap: {len(ahead)} runs wait already")
        return Wait(gate if active else ahead[0].waiting_for or gate)

    def _take_over(self, run: Asking, active: list[Other]) -> Decision:
        """The newest wins, whichever is judged first. What people or catch-up started is waited for, never ended."""
        previous = [each for each in (*active, *self.waiting[run.job_id]) if each.scheduled]
        newest = max((run.run_id, self.newest.get(run.job_id, run.run_id), *(each.run_id for each in previous)))
        if newest != run.run_id:
            return Skip(f"overlap: run {newest} took over")
        ends = tuple(each.run_id for each in previous if each.run_id != run.run_id)
        in_the_way = any(each.called or not each.scheduled for each in active)
        return Wait(job_gate(run.job_id), ends) if in_the_way else Start(ends)

    def _closed_limit(self, run: Asking) -> str | None:
        """A run that a limit held up is no newcomer at its others: two such would stand aside for each other."""
        limits = self._limits(run)
        is_new = run.waiting_for not in limits
        return next((gate for gate, limit in limits.items() if limit.room == 0 or (limit.waited_for and is_new)), None)

    def _limits(self, run: Asking) -> dict[str, Limit]:
        return {gate: self.limits[key] for gate, key in run.limits.items() if key in self.limits}
