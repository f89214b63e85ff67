from __future__ import annotations

import pytest

from app.domain.errors import Conflict
from app.domain.lifecycle import BIRTHS, ENDED, FOLLOWS, before, require
from app.domain.run import State


def test_every_state_says_what_may_follow() -> None:
    assert set(FOLLOWS) == set(State)


def test_a_run_that_has_ended_stays_as_it_is() -> None:
    assert set(State) - {State.PENDING, State.RUNNING, State.WAITING} == ENDED
    for old in ENDED:
        for new in State:
            with pytest.raises(Conflict):
                require(old, new)


@pytest.mark.parametrize("new", [State.RUNNING, State.SKIPPED, State.CANCELED, State.FAILED])
def test_a_pending_run_starts_or_ends_without_a_call(new: State) -> None:
    require(State.PENDING, new)


@pytest.mark.parametrize("new", [State.MISSED, State.LOST])
def test_a_pending_run_of_a_restored_ledger_ends_as_what_nobody_knows(new: State) -> None:
    require(State.PENDING, new)


@pytest.mark.parametrize("new", [State.SUCCEEDED, State.PENDING, State.WAITING])
def test_a_pending_run_does_not_succeed_without_a_call(new: State) -> None:
    with pytest.raises(Conflict, match=f"A run that is pending can't become {new}."):
        require("pending", new)


@pytest.mark.parametrize(
    "new", [State.SUCCEEDED, State.FAILED, State.CANCELED, State.LOST, State.PENDING, State.WAITING]
)
def test_a_running_run_ends_or_waits_for_its_next_attempt(new: State) -> None:
    require("running", new)


@pytest.mark.parametrize("new", [State.SUCCEEDED, State.FAILED, State.CANCELED, State.PENDING, State.LOST])
def test_a_run_that_waits_for_its_callback_ends_or_is_tried_again(new: State) -> None:
    require("waiting", new)


@pytest.mark.parametrize("new", [State.RUNNING, State.SKIPPED, State.MISSED, State.WAITING])
def test_a_run_that_waits_for_its_callback_is_with_no_replica(new: State) -> None:
    with pytest.raises(Conflict):
        require("waiting", new)


@pytest.mark.parametrize("new", [State.SKIPPED, State.MISSED, State.RUNNING])
def test_what_has_begun_is_neither_skipped_nor_missed(new: State) -> None:
    with pytest.raises(Conflict):
        require(State.RUNNING, new)


def test_before_is_what_follows_read_backwards() -> None:
    assert before(State.RUNNING) == {State.PENDING}
    assert before(State.PENDING) == {State.RUNNING, State.WAITING}
    assert before(State.CANCELED) == {State.PENDING, State.RUNNING, State.WAITING}
    assert before(State.MISSED) == {State.PENDING}
    assert all((new in FOLLOWS[old]) == (old in before(new)) for old in State for new in State)


def test_only_what_was_never_called_is_born_ended() -> None:
    assert {State.SKIPPED, State.MISSED} == BIRTHS & ENDED
