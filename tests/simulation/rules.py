"""What policies promise, asked after each step of the runs that it touched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.claim import Finished, Held, Started
from app.domain.policies import Delivery, Overlap, Policies
from app.domain.run import Outcome, State, Trigger
from tests.simulation.journal import Change
from tests.simulation.mirror import Mirror, Violation, told


@dataclass
class Rules:
    """`policies` are those of each job as they are, `limits` how many calls each key allows, None any number.

    `over` are the starts that have come to a good end, whether or not the ledger knows.
    """

    mirror: Mirror
    policies: dict[UUID, Policies] = field(default_factory=dict)
    limits: dict[str, int | None] = field(default_factory=dict)
    over: set[Held] = field(default_factory=set)
    _free: set[UUID] = field(default_factory=set)
    _calls: dict[UUID, list[Started]] = field(default_factory=lambda: defaultdict(list))

    def know(self, job: UUID, policies: Policies) -> None:
        """A job that ever allowed its runs to overlap may have several that go on when it doesn't any more."""
        self.policies[job] = policies
        if policies.overlap is Overlap.ALLOW:
            self._free.add(job)

    def check(self, changes: Iterable[Change], sent: Iterable[Finished], now: datetime) -> None:
        """After all changes of a step are in the mirror; `sent` are the results that it was to record."""
        results = {finished.started.held: finished for finished in sent}
        for change in changes:
            finished = results.get((change.run_id, change.fence))
            if results and finished is None and change.old_state == State.RUNNING:
                raise Violation(f"ended by the result of another start\n  {told(change)}")
            if change.state == State.PENDING and change.old_state == State.RUNNING:
                self._check_return(change, finished)
            if change.state == State.PENDING and change.old_state == State.WAITING:
                self._check_wait(change)
        began = [change for change in changes if change.state == State.RUNNING != change.old_state]
        for change in began:
            run = self.mirror.runs[change.run_id]
            for fault in self._faults(run, {each.run_id for each in began}, now):
                raise Violation(f"{fault}\n  {told(run)}\n  policies: {self.policies.get(run.job_id)}")

    def call(self, replica: UUID, started: Started) -> None:
        """A call begins. What the journal says of its start is known by then."""
        run, calls = self.mirror.runs[started.call.run_id], self._calls[started.call.run_id]
        if run.fence == started.fence and run.state == State.RUNNING and run.owner != replica:
            raise Violation(f"{replica} calls what another started\n  {told(run)}")
        if run.fence < started.fence:
            raise Violation(f"called by fence {started.fence} before it was started\n  {told(run)}")
        if started.held in {call.held for call in calls}:
            raise Violation(f"called twice by one fence\n  {told(run)}")
        calls.append(started)

    def _check_return(self, change: Change, finished: Finished | None) -> None:
        """Whether a run may be pending again that was being called; `finished` is what was recorded of the call."""
        policies = self.policies.get(change.job_id)
        if policies is None:
            fault: str | None = "of a job that is deleted, and to be called again"
        elif change.attempt < change.old_attempt:
            called = change.fence in {call.fence for call in self._calls[change.run_id]}
            fault = "handed back as one that was never called, and was" if called else None
        elif finished is not None and finished.outcome is not None and not finished.outcome.accepted:
            fault = _retried(change, finished, finished.outcome)
        else:
            in_force = Policies() if change.trigger == Trigger.NOTIFY else policies
            fault = _unanswered(change, in_force if finished is None else finished.started.policies)
        if fault:
            raise Violation(f"{fault}\n  {told(change)}\n  policies: {policies}\n  {finished}")

    def _check_wait(self, change: Change) -> None:
        """Whether a run may be pending again for which there was no good callback."""
        policies = self.policies.get(change.job_id)
        if policies is None or change.failures >= policies.retry.max_attempts:
            raise Violation(f"tried again after {change.failures} failures\n  {told(change)}\n  policies: {policies}")

    def _faults(self, run: Change, began: set[UUID], now: datetime) -> Iterator[str]:
        policies = self.policies.get(run.job_id)
        if policies is None:
            yield "a run of a job that is deleted began"
            return
        if run.trigger == Trigger.NOTIFY:
            policies = Policies()
        if run.deadline_at is not None and run.deadline_at <= now:
            yield f"began after its deadline, {run.deadline_at}"
        if run.due_at > now:
            yield f"began before it was due, {run.due_at}"
        yield from self._beside(run, policies, began)
        key = policies.concurrency_key
        if run.limit_key != key:
            yield f"holds the key {run.limit_key}, and its job's is {key}"
        most = None if key is None else self.limits.get(key)
        if most is not None and self.mirror.holding(run.limit_key) > most:
            yield f"began as one of {self.mirror.holding(run.limit_key)} where {key} allows {most}"

    def _is_over(self, run: Change) -> bool:
        """Its call has ended well, and whoever made it is still to record that; one taken over is called again."""
        return run.state == State.RUNNING and (run.run_id, run.fence) in self.over

    def _beside(self, run: Change, policies: Policies, began: set[UUID]) -> Iterator[str]:
        """What may ignore other runs of its job may begin with it in one step."""
        others = [each for each in self.mirror.others_active(run) if not self._is_over(each)]
        if _minds_its_job(run, policies):
            new = [each for each in others if each.run_id in began and each.attempt == 1]
            careless = [each for each in new if not _minds_its_job(each, policies)]
            if in_the_way := [each for each in others if each not in careless]:
                yield f"began beside another run of its job: {'; '.join(map(told, in_the_way))}"
        if run.trigger == Trigger.SCHEDULE and run.job_id not in self._free:
            called = [each for each in others if each.state == State.RUNNING and each.trigger == Trigger.SCHEDULE]
            if called:
                yield f"is called beside another of its job: {'; '.join(map(told, called))}"


def _minds_its_job(run: Change, policies: Policies) -> bool:
    """Of a run that began just now: whether it had to be alone. What goes on with another attempt was there before."""
    if run.attempt > 1:
        return False
    if run.trigger == Trigger.SCHEDULE:
        return policies.overlap is not Overlap.ALLOW
    return bool(run.trigger == Trigger.CATCH_UP)


def _unanswered(change: Change, policies: Policies) -> str | None:
    """Whether what is pending again may be, though no answer ended its call: it was cut off, or its target called back.

    `policies` are those of the call where its replica recorded it, or else the job's.
    """
    if change.failures > change.old_failures:
        tried = f"tried again after {change.failures} failures of {policies.retry.max_attempts} attempts"
        return tried if change.failures >= policies.retry.max_attempts else None
    careful = policies.delivery is Delivery.AT_MOST_ONCE
    return "at_most_once, and to be called again after a call without an answer" if careful else None


def _retried(change: Change, finished: Finished, outcome: Outcome) -> str | None:
    """Whether what is pending again after an answer may be."""
    retry = finished.started.policies.retry
    if outcome.succeeded or not retry.covers(outcome):
        return "tried again after an answer that says not to"
    if change.failures != change.old_failures + 1:
        return "tried again after an answer that was not counted"
    if change.failures >= retry.max_attempts:
        return f"tried again after {change.failures} failures of {retry.max_attempts} attempts"
    waits = change.due_at - finished.ended_at
    shortest, longest = (timedelta(seconds=each) for each in (retry.min_backoff_seconds, retry.max_backoff_seconds))
    if not shortest <= waits <= longest:
        return f"waits {waits} where the bounds are {shortest} and {longest}"
    if change.deadline_at is not None and change.due_at >= change.deadline_at:
        return "tried again after its deadline"
    return None
