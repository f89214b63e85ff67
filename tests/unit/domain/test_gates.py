from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from app.domain.gates import (
    CATCH_UP_KEY,
    CATCH_UP_RATE,
    Asking,
    Decision,
    Gates,
    Limit,
    Other,
    Skip,
    Start,
    Wait,
    backfill_gate,
    backfill_of,
    job_gate,
    job_of,
    key_of,
    limit_gate,
)
from app.domain.policies import Overlap, Policies
from app.domain.run import Trigger

JOB = UUID(int=1)
GATE = job_gate(JOB)
OLD = UUID(int=5)


def asking(run: int, overlap: Overlap = Overlap.SKIP, *, trigger: Trigger = Trigger.SCHEDULE, **more: Any) -> Asking:
    policies = Policies(overlap=overlap, max_queued=more.pop("max_queued", 1), concurrency_key=more.pop("key", None))
    return Asking(UUID(int=run), more.pop("job", JOB), trigger, policies, **more)


def gates(*active: Other, waiting: tuple[Other, ...] = (), **limits: Limit) -> Gates:
    found = Gates(limits=limits)
    found.active[JOB] += active
    found.waiting[JOB] += waiting
    return found


def judged(found: Gates, *batch: Asking) -> list[Decision]:
    """One after the other, as a batch is."""
    found.expect(batch)
    decisions = []
    for run in batch:
        decisions.append(found.judge(run))
        found.settle(run, decisions[-1])
    return decisions


called = Other(OLD, Trigger.SCHEDULE, called=True)
between = Other(OLD, Trigger.SCHEDULE, between=True)
by_hand = Other(OLD, Trigger.MANUAL, called=True)


@pytest.mark.parametrize("overlap", Overlap)
def test_a_job_at_rest_lets_a_run_start(overlap: Overlap) -> None:
    assert judged(gates(), asking(10, overlap)) == [Start()]


@pytest.mark.parametrize("active", [called, between, by_hand])
def test_skip_ends_a_scheduled_run_while_any_other_is_active(active: Other) -> None:
    assert judged(gates(active), asking(10)) == [Skip(f"overlap: run {OLD} is active")]


def test_skip_ends_a_run_behind_one_that_a_limit_holds_up() -> None:
    first = asking(10, key="db", waiting_for="limit db")
    waiting = (Other(first.run_id, Trigger.SCHEDULE, waiting_for="limit db"),)
    skipped = Skip(f"overlap: run {first.run_id} waits")
    assert judged(gates(waiting=waiting, db=Limit(0)), asking(11, key="db")) == [skipped]
    assert judged(gates(db=Limit(0)), asking(10, key="db"), asking(11, key="db")) == [Wait("limit db"), skipped]
    assert judged(gates(waiting=(*waiting, Other(UUID(int=11), Trigger.SCHEDULE)), db=Limit(1)), first) == [Start()]


@pytest.mark.parametrize("active", [called, between, by_hand])
def test_allow_asks_nobody(active: Other) -> None:
    assert judged(gates(active), asking(10, Overlap.ALLOW)) == [Start()]


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE])
def test_one_batch_lets_one_through(overlap: Overlap) -> None:
    first, second = judged(gates(), asking(10, overlap), asking(11, overlap))
    assert first == Start()
    assert second == (Skip(f"overlap: run {UUID(int=10)} is active") if overlap is Overlap.SKIP else Wait(GATE))


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.RETRY])
@pytest.mark.parametrize("overlap", Overlap)
def test_what_a_person_starts_ignores_overlap_and_counts(overlap: Overlap, trigger: Trigger) -> None:
    found = gates(called)
    assert judged(found, asking(10, overlap, trigger=trigger)) == [Start()]
    assert [other.run_id.int for other in found.active[JOB]] == [5, 10]


@pytest.mark.parametrize("overlap", Overlap)
def test_a_run_that_has_begun_goes_on(overlap: Overlap) -> None:
    other = Other(UUID(int=6), Trigger.SCHEDULE, between=True)
    assert judged(gates(between, other), asking(5, overlap, attempt=1)) == [Start()]


@pytest.mark.parametrize("overlap", Overlap)
def test_a_run_that_has_begun_goes_on_beside_another_only_where_that_is_allowed(overlap: Overlap) -> None:
    """One that started on its success, of which the ledger was never told."""
    other = Other(UUID(int=6), Trigger.SCHEDULE, called=True)
    wanted = Start() if overlap is Overlap.ALLOW else Wait(GATE)
    assert judged(gates(between, other), asking(5, overlap, attempt=1)) == [wanted]


@pytest.mark.parametrize("overlap", Overlap)
def test_what_is_caught_up_waits_for_every_other_and_is_never_skipped(overlap: Overlap) -> None:
    batch = [asking(run, overlap, trigger=Trigger.CATCH_UP) for run in (10, 11)]
    assert judged(gates(), *batch) == [Start(), Wait(GATE)]
    assert judged(gates(by_hand), *batch) == [Wait(GATE), Wait(GATE)]


def test_so_many_wait_in_the_queue_and_the_next_is_skipped() -> None:
    batch = [asking(run, Overlap.QUEUE, max_queued=2) for run in (10, 11, 12)]
    assert judged(gates(called), *batch) == [Wait(GATE), Wait(GATE), Skip("overlap: 2 runs wait already")]


def test_the_first_in_the_queue_is_as_good_as_started_once_none_is_active() -> None:
    first = Other(UUID(int=9), Trigger.SCHEDULE, waiting_for=GATE)
    batch = [asking(run, Overlap.QUEUE) for run in (10, 11)]
    assert judged(gates(waiting=(first,)), *batch) == [Wait(GATE), Skip("overlap: 2 runs wait already")]
    assert judged(gates(waiting=(first,)), asking(9, Overlap.QUEUE, waiting_for=GATE)) == [Start()]


def test_a_run_stands_behind_those_of_its_queue_at_their_gate() -> None:
    first = Other(UUID(int=9), Trigger.SCHEDULE, waiting_for=limit_gate("db"))
    assert judged(gates(waiting=(first,)), asking(10, Overlap.QUEUE)) == [Wait(limit_gate("db"))]


def test_who_waits_already_is_never_skipped_for_the_length_of_the_queue() -> None:
    waiting = tuple(Other(UUID(int=run), Trigger.SCHEDULE, waiting_for=GATE) for run in (8, 9))
    assert judged(gates(called, waiting=waiting), asking(9, Overlap.QUEUE, waiting_for=GATE)) == [Wait(GATE)]


def test_a_later_due_time_does_not_stop_the_first_at_the_gate() -> None:
    waiting = tuple(Other(UUID(int=run), Trigger.SCHEDULE, waiting_for=GATE) for run in (8, 9))
    assert judged(gates(waiting=waiting), asking(9, Overlap.QUEUE, waiting_for=GATE)) == [Start()]


def test_cancel_previous_ends_what_is_scheduled_and_waits_for_a_call_that_is_cut() -> None:
    assert judged(gates(called), asking(10, Overlap.CANCEL_PREVIOUS)) == [Wait(GATE, (OLD,))]
    assert judged(gates(between), asking(10, Overlap.CANCEL_PREVIOUS)) == [Start((OLD,))]


def test_cancel_previous_waits_for_what_a_person_started_and_does_not_end_it() -> None:
    assert judged(gates(by_hand), asking(10, Overlap.CANCEL_PREVIOUS)) == [Wait(GATE)]


def test_cancel_previous_ends_what_waits_to_take_over() -> None:
    first = Other(UUID(int=9), Trigger.SCHEDULE, waiting_for=GATE)
    found = gates(called, waiting=(first,))
    assert judged(found, asking(10, Overlap.CANCEL_PREVIOUS)) == [Wait(GATE, (OLD, UUID(int=9)))]
    assert [other.run_id.int for other in found.waiting[JOB]] == [10]


@pytest.mark.parametrize("batch", [(10, 11), (11, 10)])
def test_the_newest_takes_over_whichever_is_judged_first(batch: tuple[int, int]) -> None:
    found = gates()
    decisions = dict(zip(batch, judged(found, *(asking(run, Overlap.CANCEL_PREVIOUS) for run in batch)), strict=True))
    assert decisions == {10: Skip(f"overlap: run {UUID(int=11)} took over"), 11: Start()}


def test_an_older_run_that_comes_late_does_not_take_over() -> None:
    newer = Other(UUID(int=11), Trigger.SCHEDULE, called=True)
    skipped = Skip(f"overlap: run {UUID(int=11)} took over")
    assert judged(gates(newer), asking(10, Overlap.CANCEL_PREVIOUS)) == [skipped]


def test_a_limit_lets_so_many_through_over_all_jobs() -> None:
    limit = Limit(max_concurrency=3, running=1)
    batch = [asking(run, key="db", job=UUID(int=run)) for run in (10, 11, 12)]
    assert judged(gates(db=limit), *batch) == [Start(), Start(), Wait("limit db")]
    assert limit.running == 3


@pytest.mark.parametrize("trigger", Trigger)
def test_a_limit_concerns_every_trigger_and_every_attempt(trigger: Trigger) -> None:
    full = Limit(max_concurrency=1, running=1)
    for attempt in (0, 1):
        assert judged(gates(db=full), asking(10, key="db", trigger=trigger, attempt=attempt)) == [Wait("limit db")]


def test_a_key_without_a_limit_is_open() -> None:
    assert judged(gates(), asking(10, key="db")) == [Start()]


def test_a_limit_spends_a_token_for_each_start() -> None:
    limit = Limit(tokens=2.5)
    batch = [asking(run, key="db", job=UUID(int=run)) for run in (10, 11, 12)]
    assert judged(gates(db=limit), *batch) == [Start(), Start(), Wait("limit db")]
    assert (limit.tokens, limit.room) == (0.5, 0)


def test_a_newcomer_stands_behind_those_that_wait_for_the_limit() -> None:
    limit = Limit(max_concurrency=3, waited_for=True)
    newcomer, first = asking(10, key="db"), asking(11, key="db", waiting_for="limit db", job=UUID(int=2))
    assert judged(gates(db=limit), newcomer, first) == [Wait("limit db"), Start()]


def test_two_that_two_limits_hold_up_do_not_stand_aside_for_each_other() -> None:
    limits = {"k": Limit(tokens=5.0, waited_for=True), CATCH_UP_KEY: Limit(tokens=5.0, waited_for=True)}
    batch = [
        asking(1, trigger=Trigger.CATCH_UP, key="k", job=UUID(int=8), waiting_for=limit_gate("k")),
        asking(2, trigger=Trigger.CATCH_UP, key="k", job=UUID(int=9), waiting_for=CATCH_UP_RATE),
    ]
    assert judged(Gates(limits=limits), *batch) == [Start(), Start()]


def test_a_run_that_is_skipped_or_waits_for_its_job_spends_nothing() -> None:
    limit = Limit(tokens=1)
    batch = [asking(10, key="db"), asking(11, Overlap.QUEUE, key="db")]
    assert judged(gates(called, db=limit), *batch) == [Skip(f"overlap: run {OLD} is active"), Wait(GATE)]
    assert limit.tokens == 1


def test_what_is_caught_up_waits_for_the_rate_and_what_is_new_does_not() -> None:
    found = gates()
    found.limits[CATCH_UP_KEY] = Limit(tokens=0.9)
    assert judged(found, asking(10, trigger=Trigger.CATCH_UP), asking(11)) == [Wait(CATCH_UP_RATE), Start()]
    assert judged(found, asking(12, trigger=Trigger.CATCH_UP, attempt=1, job=UUID(int=9))) == [Start()]


def test_a_run_between_attempts_stays_active_while_it_waits_for_a_limit() -> None:
    found = gates(between, db=Limit(max_concurrency=0))
    assert judged(found, asking(5, key="db", attempt=1)) == [Wait("limit db")]
    assert (found.active[JOB], found.waiting[JOB]) == ([between], [])


def test_a_gate_tells_what_is_waited_for() -> None:
    assert job_of(job_gate(JOB)) == JOB
    assert job_of("limit db") is None
    assert key_of(limit_gate("a/b c")) == "a/b c"
    assert key_of(limit_gate(CATCH_UP_KEY)) == CATCH_UP_KEY
    assert key_of(job_gate(JOB)) is None


BACKFILL = UUID(int=77)
TURN = backfill_gate(BACKFILL)
backfilled = Other(OLD, Trigger.BACKFILL, called=True, backfill_id=BACKFILL)
caught_up = Other(OLD, Trigger.CATCH_UP, called=True)


def backfilling(run: int, **more: Any) -> Asking:
    return asking(run, trigger=Trigger.BACKFILL, backfill_id=BACKFILL, **more)


def test_a_backfill_lets_so_many_of_its_runs_through_and_the_others_wait_for_their_turn() -> None:
    found = gates()
    found.limits[TURN] = Limit(max_concurrency=3, running=1)
    assert judged(found, *map(backfilling, (10, 11, 12))) == [Start(), Start(), Wait(TURN)]


@pytest.mark.parametrize("overlap", Overlap)
def test_what_is_scheduled_and_what_is_backfilled_do_not_meet(overlap: Overlap) -> None:
    assert judged(gates(backfilled), asking(10, overlap)) == [Start()]
    assert judged(gates(called), backfilling(10)) == [Start()]
    assert judged(gates(by_hand), backfilling(10)) == [Start()]


def test_what_is_caught_up_waits_for_what_is_backfilled() -> None:
    assert judged(gates(backfilled), asking(10, trigger=Trigger.CATCH_UP)) == [Wait(GATE)]


def test_what_is_backfilled_waits_for_what_is_caught_up_at_its_own_gate() -> None:
    assert judged(gates(caught_up), backfilling(10)) == [Wait(TURN)]


def test_what_waits_to_be_caught_up_goes_first() -> None:
    found = gates(backfilled)
    assert judged(found, asking(10, trigger=Trigger.CATCH_UP), backfilling(11)) == [Wait(GATE), Wait(TURN)]
    assert judged(gates(), backfilling(11)) == [Start()]


def test_a_backfilled_run_that_has_begun_asks_for_no_turn_any_more() -> None:
    found = gates(Other(UUID(int=10), Trigger.BACKFILL, between=True, backfill_id=BACKFILL))
    found.limits[TURN] = Limit(max_concurrency=1, running=1)
    assert judged(found, backfilling(10, attempt=1)) == [Start()]


def test_a_full_key_of_its_job_holds_up_what_is_backfilled() -> None:
    assert judged(gates(db=Limit(max_concurrency=0)), backfilling(10, key="db")) == [Wait("limit db")]


def test_the_gate_of_a_backfill_names_it() -> None:
    assert (backfill_of(TURN), key_of(TURN), job_of(TURN)) == (BACKFILL, None, None)
    assert backfill_of(GATE) is None
