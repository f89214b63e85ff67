"""The targets: each call's fate is drawn as it begins, and comes to light when its time has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from app.domain.claim import Finished, Started
from app.domain.run import Outcome


@dataclass(frozen=True, slots=True)
class SimCall:
    """`ends` and `since` are monotonic seconds, `began` is the caller's idea of the database's time."""

    started: Started
    began: datetime
    since: float
    ends: float
    outcome: Outcome


def begin(rng: Random, started: Started, began: datetime, since: float, *, healthy: bool = False) -> SimCall:
    """Once the targets are `healthy`, all goes well."""
    most = started.call.timeout_seconds
    if started.deadline_at is not None:
        most = min(most, max((started.deadline_at - began).total_seconds(), 0))
    calls_back = started.call.callback_token is not None
    takes = most if rng.random() < 0.03 and not healthy else min(rng.expovariate(1 / (5 if healthy else 40)), most)
    outcome = _outcome(rng, calls_back=calls_back, healthy=healthy)
    late = Outcome(error=f"timeout: after {most:g} s")
    return SimCall(started, began, since, since + takes, outcome if takes < most else late)


def called(call: SimCall) -> Finished:
    return Finished(call.started, call.outcome, call.began, call.began + timedelta(seconds=call.ends - call.since))


def _outcome(rng: Random, *, calls_back: bool, healthy: bool) -> Outcome:
    if calls_back and rng.random() < 0.8:
        return Outcome(error=None, status_code=202, accepted=True)
    if healthy or rng.random() < 0.6:
        return Outcome(error=None, status_code=200, response_excerpt="ok")
    return rng.choice(
        [
            Outcome(error="status 500", status_code=500, response_excerpt="oops"),
            Outcome(error="status 404", status_code=404),
            Outcome(error="status 429", status_code=429, retry_after=timedelta(seconds=rng.randrange(900))),
            Outcome(error="connect: refused"),
        ]
    )
