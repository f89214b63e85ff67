"""What Prometheus is told. No label holds a job's name: its values stay few, however many jobs there are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from prometheus_client import (
    CONTENT_TYPE_PLAIN_1_0_0,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.domain.claim import Claims, Finished
from app.domain.lifecycle import ENDED
from app.domain.run import State, Trigger
from app.scheduler.service import SchedulerService

_LAG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_DURATION = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_LOOP_LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_LOOP_PERIOD = 0.25
_OF_A_PAST_INSTANT = {Trigger.RETRY, Trigger.BACKFILL}
"""What people want run once more, or after all, is not late."""


class Metrics:
    """See `scheduler.observer.Observer`. A registry of its own, so that two services in one process don't mix."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._runs = Counter(
            "cronledger_runs", "Runs that ended, by state and trigger", ["state", "trigger"], registry=self._registry
        )
        self._lag = Histogram(
            "cronledger_run_lag_seconds",
            "From the instant meant to the first call",
            ["trigger"],
            buckets=_LAG,
            registry=self._registry,
        )
        self._duration = Histogram(
            "cronledger_call_duration_seconds", "How long calls took", buckets=_DURATION, registry=self._registry
        )
        self._cut = Counter("cronledger_calls_cut_off", "Calls that were cut off", registry=self._registry)
        self._claims = Counter(
            "cronledger_claims", "What the ledger said to claims", ["result"], registry=self._registry
        )
        self._discarded = Counter(
            "cronledger_results_discarded", "Results of runs that went to another", registry=self._registry
        )
        self._loop_lag = Histogram(
            "cronledger_event_loop_lag_seconds",
            "How late the event loop was",
            buckets=_LOOP_LAG,
            registry=self._registry,
        )
        self._database_up = Gauge("cronledger_database_up", "Whether the database was reached", registry=self._registry)

    def watch(self, scheduler: SchedulerService) -> None:
        """Read the scheduler at each scrape, and time the running event loop from now on."""
        self._registry.register(_SchedulerState(scheduler))
        loop = asyncio.get_running_loop()
        self._time_loop(loop, loop.time())

    def watch_redis(self, up: Callable[[], bool]) -> None:
        gauge = Gauge(
            "cronledger_redis_up", "Whether Redis was reached when it was last tried", registry=self._registry
        )
        gauge.set_function(lambda: float(up()))

    def render(self, *, database_up: bool) -> tuple[bytes, str]:
        """The text of a scrape and its media type."""
        self._database_up.set(database_up)
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_1_0_0

    def claimed(self, claims: Claims) -> None:
        for result in ("won", "moved", "early", "stale", "busy"):
            self._claims.labels(result).inc(len(getattr(claims, result)))
        for candidate in claims.won:
            for run in candidate.plan.runs:
                if run.state is not State.PENDING:
                    self._runs.labels(run.state, run.trigger).inc()

    def recorded(self, run: Finished, became: State) -> None:
        call = run.started.call
        if call.attempt == 1 and call.trigger not in _OF_A_PAST_INSTANT:
            self._lag.labels(call.trigger).observe((run.began_at - call.scheduled_for).total_seconds())
        self._duration.observe((run.ended_at - run.began_at).total_seconds())
        if run.outcome is None:
            self._cut.inc()
        if became in ENDED:
            self._runs.labels(became, call.trigger).inc()

    def discarded(self, run: Finished) -> None:  # noqa: ARG002  # one is like another
        self._discarded.inc()

    def ended(self, state: State, trigger: Trigger) -> None:
        self._runs.labels(state, trigger).inc()

    def _time_loop(self, loop: asyncio.AbstractEventLoop, expected: float) -> None:
        """The loop's timers go with the loop, so nothing has to stop this."""
        now = loop.time()
        self._loop_lag.observe(max(now - expected, 0.0))
        loop.call_at(now + _LOOP_PERIOD, self._time_loop, loop, now + _LOOP_PERIOD)


class _SchedulerState(Collector):
    """Gauges that are read when they are asked for."""

    def __init__(self, scheduler: SchedulerService) -> None:
        self._scheduler = scheduler

    def collect(self) -> Iterator[Metric]:
        scheduler = self._scheduler
        yield GaugeMetricFamily("cronledger_entries", "Jobs in this replica's map", len(scheduler.entries))
        yield GaugeMetricFamily("cronledger_calls_in_flight", "Calls under way", len(scheduler.runner))
        yield GaugeMetricFamily(
            "cronledger_runs_waiting",
            "Pending runs that this replica waits to call",
            len(scheduler.dispatcher),
        )
        yield GaugeMetricFamily("cronledger_loops_stalled", "Loops that stand still", len(scheduler.stalled()))
        yield GaugeMetricFamily(
            "cronledger_clock_skew_seconds", "How far the database's clock is ahead of this one", scheduler.time.skew
        )
