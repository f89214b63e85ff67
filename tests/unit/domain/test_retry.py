from __future__ import annotations

import sys
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.retry import Retry
from app.domain.run import Outcome

RUN = UUID(int=7)
SECOND = timedelta(seconds=1)


def failed(error: str, status: int | None = None) -> Outcome:
    return Outcome(error=error, status_code=status)


@pytest.mark.parametrize(
    ("outcome", "again"),
    [
        (failed("connect: connection refused"), True),
        (failed("dns: name not found"), True),
        (failed("tls: certificate has expired"), True),
        (failed("timeout after 30 s"), True),
        (failed("timeout after 30 s", 200), True),
        (failed("status 429", 429), True),
        (failed("status 500", 500), True),
        (failed("status 599", 599), True),
        (failed("status 400", 400), False),
        (failed("status 302", 302), False),
        (failed("protocol: connection reset by peer"), False),
        (failed("body: the body is not JSON", 200), False),
        (failed("refused: 10.0.0.1 is a private address"), False),
        (failed("internal: ValueError"), False),
    ],
)
def test_by_default_what_may_pass_is_tried_again(outcome: Outcome, *, again: bool) -> None:
    assert Retry().covers(outcome) is again


@pytest.mark.parametrize(
    ("on", "outcome", "again"),
    [
        (("protocol",), failed("protocol: connection reset by peer"), True),
        (("protocol",), failed("protocol: the answer ended too early", 200), True),
        (("body",), failed("body: /a is not what body_json asks for", 200), True),
        (("2xx",), failed("body: /a is not what body_json asks for", 200), False),
        (("2xx",), failed("timeout after 1 s", 200), False),
        (("404",), failed("status 404", 404), True),
        (("404",), failed("status 405", 405), False),
        ((), failed("status 500", 500), False),
        (("connect",), failed("status 500", 500), False),
    ],
)
def test_the_job_says_what_is_tried_again(on: tuple[str, ...], outcome: Outcome, *, again: bool) -> None:
    assert Retry(on=on).covers(outcome) is again


def test_the_backoff_grows_up_to_its_bound() -> None:
    retry = Retry(min_backoff_seconds=5, max_backoff_seconds=60, multiplier=3, jitter=False)
    assert [retry.delay(RUN, failures) / SECOND for failures in range(1, 6)] == [5, 15, 45, 60, 60]


def test_the_jitter_adds_up_to_half_and_is_the_same_each_time() -> None:
    delays = [Retry().delay(uuid4(), 1) for _ in range(200)]
    assert all(5 * SECOND <= delay < 7.5 * SECOND for delay in delays)
    assert min(delays) < 5.5 * SECOND < 7 * SECOND < max(delays)
    assert Retry().delay(RUN, 1) == Retry().delay(RUN, 1) != Retry().delay(RUN, 2) / 2


@pytest.mark.parametrize(("asked", "wait"), [(0, 5), (6, 6), (60, 60), (61, 60), (10**9, 60)])
def test_retry_after_is_obeyed_within_the_bounds(asked: int, wait: int) -> None:
    assert Retry(max_backoff_seconds=60).delay(RUN, 1, asked * SECOND) == wait * SECOND


def test_without_a_backoff_the_next_attempt_is_due_at_once() -> None:
    assert Retry(min_backoff_seconds=0).delay(RUN, 3) == timedelta(0)


@given(
    bounds=st.tuples(*[st.floats(0, 604800)] * 2).map(sorted),
    multiplier=st.floats(1, sys.float_info.max),
    failures=st.integers(1, 100),
    jitter=st.booleans(),
    run_id=st.uuids(),
    asked=st.none() | st.timedeltas(timedelta(0)),
)
def test_no_delay_is_out_of_bounds(
    *,
    bounds: list[float],
    multiplier: float,
    failures: int,
    jitter: bool,
    run_id: UUID,
    asked: timedelta | None,
) -> None:
    shortest, longest = bounds
    retry = Retry(min_backoff_seconds=shortest, max_backoff_seconds=longest, multiplier=multiplier, jitter=jitter)
    assert timedelta(seconds=shortest) <= retry.delay(run_id, failures, asked) <= timedelta(seconds=longest)


@given(failures=st.integers(1, 99), multiplier=st.floats(1, 100))
def test_without_jitter_no_wait_is_shorter_than_the_one_before(failures: int, multiplier: float) -> None:
    retry = Retry(multiplier=multiplier, jitter=False)
    assert retry.delay(RUN, failures) <= retry.delay(RUN, failures + 1)
