from __future__ import annotations

from datetime import timedelta

import pytest

from app.coordination.names import Names
from app.coordination.pending import MOST, MOST_LAST_RUNS, Pending, changes_in
from tests.coordination.building import AT

NAMES = Names("test")


def test_what_is_said_twice_is_told_once() -> None:
    pending = Pending()
    for ids in ({1, 2}, {2, 3}):
        pending.add(Pending(changed=ids))
    assert pending.commands(NAMES) == [("PUBLISH", "test:changes", "1,2,3")]


def test_more_changes_than_are_worth_naming_are_told_as_many() -> None:
    pending = Pending()
    for number in range(MOST + 1):
        pending.add(Pending(changed={number}))
    assert pending.commands(NAMES) == [("PUBLISH", "test:changes", "")]
    pending.add(Pending(changed={7}))
    assert pending.commands(NAMES) == [("PUBLISH", "test:changes", "")]


def test_a_message_holds_ids_and_nothing_else() -> None:
    [(_, _, message)] = Pending(changed={20, 1}).commands(NAMES)
    assert changes_in(str(message)) == [1, 20]


@pytest.mark.parametrize("message", [None, "", "1,x", "0x10", ","])
def test_what_nobody_can_read_may_be_any_change(message: str | None) -> None:
    assert changes_in(message) == [None]


def test_of_a_job_the_latest_run_is_kept_and_of_jobs_a_bounded_number() -> None:
    pending = Pending()
    pending.ran("job", AT + timedelta(seconds=1))
    pending.ran("job", AT)
    for number in range(MOST_LAST_RUNS + 5):
        pending.ran(f"job-{number}", AT)
    assert pending.last_runs["job"] == AT + timedelta(seconds=1)
    assert len(pending.last_runs) == MOST_LAST_RUNS
