"""What became of what was due, in numbers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.api.schemas.fields import Instant, JobName
from app.api.schemas.page import Page, PageQuery
from app.domain.explanation import Finding
from app.domain.run import State
from app.domain.stats import Figures, JobFigures, Spread, Stats


class StatsQuery(PageQuery):
    """Of which time, and of which job."""

    since: Instant | None = Field(
        None,
        description="From the hour of this instant on: 24 h ago unless given, and no longer than runs are kept.",
    )
    until: Instant | None = Field(
        None,
        description="To the end of the hour of this instant, as far as is counted: now unless given.",
    )
    job: JobName | None = Field(None, description="Of the job of this name alone.")
    job_id: UUID | None = Field(None, description="Of this job alone, even if it is deleted.")


class SpreadOut(BaseModel):
    """Seconds, exact to the microsecond; null where there is nothing to measure."""

    p50: float | None
    p90: float | None
    p99: float | None
    max: float | None

    @classmethod
    def of(cls, spread: Spread) -> Self:
        return cls(
            p50=_seconds(spread.p50), p90=_seconds(spread.p90), p99=_seconds(spread.p99), max=_seconds(spread.longest)
        )


class FiguresOut(BaseModel):
    """Instants at which jobs were due, and what became of them: the counts after `due` add up to it."""

    due: int = Field(description="By the versions of the schedules; what is excluded or paused is due too.")
    succeeded: int
    failed: int
    canceled: int
    lost: int
    skipped: int
    missed: int = Field(description="As single runs, and within spans.")
    unfinished: int = Field(description="Runs that are pending, running, or waiting for their callback.")
    paused: int = Field(description="Within spans of a paused job.")
    stopped: int = Field(description="Within spans of the stop switch.")
    unschedulable: int = Field(description="Within spans of a job that could not be scheduled.")
    forgotten: int = Field(description="Of which nothing is kept: `keep_runs` let their runs go.")
    unclaimed: int = Field(description="Late: their job waits for one of them still, and none is lost.")
    unaccounted: int = Field(description="With neither a run nor a span. Anything but 0 is a fault.")
    lag: SpreadOut = Field(description="From the instant to the first start, jitter and queues and all.")
    duration: SpreadOut = Field(description="From the first start to the end, retries and callbacks and all.")


class JobStatsOut(FiguresOut):
    """Of one job."""

    job_id: UUID
    name: str = Field(description="The last that it had, if it is deleted.")

    @classmethod
    def of(cls, job: JobFigures) -> Self:
        return cls(job_id=job.job_id, name=job.name, **_figures(job.figures))


class StatsPage(Page[JobStatsOut]):
    """Jobs that there were at some time of it, by id: those made first come first."""

    since: datetime = Field(description="Where the numbers begin: at a whole hour.")
    until: datetime = Field(description="Where they end; what is due at this instant is not in them.")
    counted_from: datetime | None = Field(description="Since when due instants are counted; null before that began.")
    counted_until: datetime | None = Field(description="Up to when they are counted, a minute or two ago.")
    total: FiguresOut = Field(description="Of all jobs, or of the one that was asked for, on every page.")

    @classmethod
    def of_stats(cls, stats: Stats, next_cursor: str | None) -> Self:
        return cls(
            items=[JobStatsOut.of(each) for each in stats.jobs],
            next_cursor=next_cursor,
            since=stats.since,
            until=stats.until,
            counted_from=None if stats.counted is None else stats.counted.since,
            counted_until=None if stats.counted is None else stats.counted.until,
            total=FiguresOut(**_figures(stats.total)),
        )


_ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELED, State.LOST, State.SKIPPED)
_UNFINISHED = (State.PENDING, State.RUNNING, State.WAITING)
_ABSENT = (
    *(Finding.PAUSED, Finding.STOPPED, Finding.UNSCHEDULABLE),
    *(Finding.FORGOTTEN, Finding.UNCLAIMED, Finding.UNACCOUNTED),
)


def _figures(figures: Figures) -> dict[str, Any]:
    states, absent = figures.outcomes.states, figures.absent
    return {
        "due": figures.due,
        **{state: states.get(state, 0) for state in _ENDED},
        "missed": states.get(State.MISSED, 0) + absent.get(Finding.MISSED, 0),
        "unfinished": sum(states.get(state, 0) for state in _UNFINISHED),
        **{finding: absent.get(finding, 0) for finding in _ABSENT},
        "lag": SpreadOut.of(figures.outcomes.lag),
        "duration": SpreadOut.of(figures.outcomes.duration),
    }


def _seconds(time: timedelta | None) -> float | None:
    return None if time is None else time.total_seconds()
