"""Random jobs: schedules that the oracle can list, and policies of every kind."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from app.domain.exclude import Days, Exclude, Interval
from app.domain.job import DstGap, DstOverlap, JobDefinition
from app.domain.notice import Event, Notify
from app.domain.policies import AsyncCompletion, Delivery, Misfire, MisfirePolicy, Overlap, Policies
from app.domain.retry import Retry

ZONES = ("UTC", "Europe/Berlin")
KEYS = ("red", "green", "blue")
HOSTS = tuple(f"{name}.example" for name in ("one", "two", "three", "four"))

TOLD = (Notify(on=tuple(Event), endpoint="http://told.example/hook"),)

_FAILURES = ("connect", "timeout", "429", "5xx")


def definition(rng: Random, name: str, now: datetime) -> JobDefinition:
    return JobDefinition(name=name, **when(rng, now), endpoint=endpoint(rng), **manners(rng, now))


def when(rng: Random, now: datetime) -> dict[str, Any]:
    """The fields that say when a job is due."""
    starts = now + timedelta(minutes=rng.randrange(600)) if rng.random() < 0.1 else None
    ends = now + timedelta(hours=rng.randrange(11, 300)) if rng.random() < 0.1 else None
    return {
        "schedule": _schedule(rng, now),
        "timezone": rng.choice(ZONES),
        "dst_gap": rng.choice(list(DstGap)),
        "dst_overlap": rng.choice(list(DstOverlap)),
        "starts_at": starts,
        "ends_at": ends,
    }


def manners(rng: Random, now: datetime) -> dict[str, Any]:
    """The fields that say how it is called."""
    return {"timeout_seconds": rng.choice([10.0, 120.0, 1200.0]), "policies": policies(rng, now)}


def endpoint(rng: Random) -> str:
    return f"http://{rng.choice(HOSTS)}/hook"


def policies(rng: Random, now: datetime) -> Policies:
    return Policies(
        overlap=rng.choice(list(Overlap)),
        max_queued=rng.randint(1, 3),
        misfire=_misfire(rng),
        retry=_retry(rng),
        delivery=rng.choice(list(Delivery)),
        deadline_seconds=rng.choice([None, None, 600.0, 7200.0]),
        jitter_seconds=rng.choice([0.0, 0.0, 30.0, 600.0]),
        max_runs=_rarely(rng, rng.choice([3, 20, 60])),
        pause_after_failures=_rarely(rng, rng.randint(2, 5)),
        concurrency_key=rng.choice([None, *KEYS]),
        exclude=_exclude(rng, now),
        async_completion=_rarely(rng, AsyncCompletion(timeout_seconds=rng.choice([120.0, 1200.0]))),
        notify=rng.choice([(), TOLD]),
    )


def _schedule(rng: Random, now: datetime) -> str:
    """Fifty of these are due some 550 times a day."""
    kind = rng.random()
    if kind < 0.06:
        return f"*/{rng.choice([20, 30])} * * * *"
    if kind < 0.45:
        return f"{rng.choice([0, 15, 30])} */{rng.choice([1, 2, 3])} * * *"
    if kind < 0.65:
        return f"{rng.choice([0, 30, 59])} {rng.choice([0, 1, 2, 3, 12])} * * *"
    if kind < 0.95:
        return f"@every {rng.choice([5400, 7200, 9973])}s"
    return f"@at {now + timedelta(seconds=rng.randrange(60, 100_000)):%Y-%m-%dT%H:%M:%S+00:00}"


def _misfire(rng: Random) -> Misfire:
    return Misfire(
        policy=rng.choice(list(MisfirePolicy)),
        grace_seconds=rng.choice([60.0, 600.0, 3600.0]),
        window_seconds=rng.choice([3600.0, 86400.0]),
        max=rng.choice([1, 3, 20]),
    )


def _retry(rng: Random) -> Retry:
    shortest = rng.choice([0.0, 5.0, 60.0])
    return Retry(
        max_attempts=rng.randint(1, 4),
        min_backoff_seconds=shortest,
        max_backoff_seconds=shortest + rng.choice([0.0, 600.0]),
        jitter=rng.random() < 0.5,
        max_duration_seconds=_rarely(rng, 900.0),
        on=tuple(each for each in _FAILURES if rng.random() < 0.8),
    )


def _exclude(rng: Random, now: datetime) -> Exclude:
    if rng.random() < 0.8:
        return ()
    day = (now + timedelta(days=rng.randint(0, 3))).date()
    begin = now + timedelta(hours=rng.randint(0, 20))
    return rng.choice([(Days(day, day),), (Interval(begin, begin + timedelta(hours=5)),)])


def _rarely(rng: Random, value: Any) -> Any:
    return value if rng.random() < 0.2 else None
