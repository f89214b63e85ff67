from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.domain.entries import Entry, EntryID, EntryMap, JobRow
from app.domain.recurrence import Recurrence

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EACH_MINUTE = Recurrence("* * * * *")


def job(job_id: int, at: datetime = NOON, *, version: int = 1, name: str | None = None) -> JobRow:
    return JobRow(job_id, UUID(int=job_id), name or f"job-{job_id}", version, at, EACH_MINUTE)


@pytest.fixture
def entries() -> EntryMap:
    return EntryMap()


def entry_of(entries: EntryMap, name: str) -> Entry:
    found = entries.get(entries.id_of(name) or EntryID(0))
    assert found is not None
    return found


def names(entries: EntryMap, now: datetime, limit: int = 100) -> list[str]:
    return [due.entry.job.name for due in entries.due(now, limit)]


def test_ids_count_from_one_and_zero_is_no_entry(entries: EntryMap) -> None:
    assert entries.get(EntryID(0)) is None
    assert [entries.put(job(1)), entries.put(job(2))] == [1, 2]
    assert entries.get(EntryID(0)) is None


def test_an_id_is_never_used_again(entries: EntryMap) -> None:
    first = entries.put(job(1))
    assert entries.remove(1)
    second = entries.put(job(1))
    assert second > first
    assert entries.get(first) is None


def test_a_job_is_found_by_its_name_until_it_is_removed(entries: EntryMap) -> None:
    entry_id = entries.put(job(1, name="nightly"))
    assert entries.id_of("nightly") == entry_id
    assert entries.remove(1)
    assert entries.id_of("nightly") is None
    assert not entries.remove(1)


def test_a_name_that_was_given_to_another_job_stays_with_it(entries: EntryMap) -> None:
    entries.put(job(1, name="nightly"))
    successor = entries.put(job(2, name="nightly"))
    entries.remove(1)
    assert entries.id_of("nightly") == successor


def test_a_newer_version_gets_an_entry_of_its_own_and_the_old_one_never_fires(entries: EntryMap) -> None:
    old = entries.put(job(1, NOON))
    new = entries.put(job(1, NOON + MINUTE, version=2))
    assert (len(entries), entries.get(old), entries.id_of("job-1")) == (1, None, new)
    assert entries.due(NOON, 10) == []
    [due] = entries.due(NOON + MINUTE, 10)
    assert (due.at, due.entry.entry_id, due.entry.job.version) == (NOON + MINUTE, new, 2)


def test_a_row_that_was_read_before_the_last_edit_changes_nothing(entries: EntryMap) -> None:
    known = entries.put(job(1, NOON + MINUTE, version=2))
    assert entries.put(job(1, NOON, version=1)) == known
    assert entry_of(entries, "job-1").job.version == 2
    assert entries.next_wakeup() == NOON + MINUTE


def test_a_row_of_the_same_version_moves_an_entry_forward_and_never_back(entries: EntryMap) -> None:
    known = entries.put(job(1, NOON))
    assert entries.put(job(1, NOON + MINUTE)) == known
    assert entries.next_wakeup() == NOON + MINUTE
    entries.put(job(1, NOON))
    assert entries.next_wakeup() == NOON + MINUTE


def test_an_entry_in_hand_is_not_due_again_until_it_is_given_back(entries: EntryMap) -> None:
    entries.put(job(1))
    [due] = entries.due(NOON, 10)
    assert due.entry.next is None
    assert entries.due(NOON, 10) == []
    assert entries.next_wakeup() is None
    entries.put(job(1, NOON + MINUTE))
    assert entries.due(NOON + MINUTE, 10) == []
    entries.advance(due.entry, NOON)
    assert names(entries, NOON) == ["job-1"]


def test_an_entry_that_is_given_back_remembers_what_was_claimed(entries: EntryMap) -> None:
    entries.put(job(1))
    [due] = entries.due(NOON, 1)
    entries.advance(due.entry, NOON + MINUTE, claimed=NOON)
    entry = entry_of(entries, "job-1")
    assert (entry.prev, entry.next) == (NOON, NOON + MINUTE)
    [due] = entries.due(NOON + MINUTE, 1)
    entries.advance(due.entry, due.at)
    assert entry.prev == NOON


def test_a_newer_version_keeps_the_last_occurrence_that_was_claimed(entries: EntryMap) -> None:
    entries.put(job(1))
    [due] = entries.due(NOON, 1)
    entries.advance(due.entry, NOON + MINUTE, claimed=NOON)
    entries.put(job(1, NOON + 2 * MINUTE, version=2))
    assert entry_of(entries, "job-1").prev == NOON


def test_an_entry_to_which_nothing_is_to_come_is_forgotten(entries: EntryMap) -> None:
    entries.put(job(1))
    [due] = entries.due(NOON, 1)
    entries.advance(due.entry, None)
    assert (len(entries), entries.id_of("job-1"), entries.versions()) == (0, None, {})


def test_giving_back_an_entry_that_was_swapped_meanwhile_does_nothing(entries: EntryMap) -> None:
    entries.put(job(1))
    [due] = entries.due(NOON, 1)
    entries.put(job(1, NOON + 5 * MINUTE, version=2))
    entries.advance(due.entry, NOON + MINUTE, claimed=NOON)
    entries.advance(due.entry, None)
    assert entries.next_wakeup() == NOON + 5 * MINUTE
    assert entry_of(entries, "job-1").prev is None


def test_giving_back_an_entry_that_was_removed_meanwhile_does_nothing(entries: EntryMap) -> None:
    entries.put(job(1))
    [due] = entries.due(NOON, 1)
    entries.remove(1)
    entries.advance(due.entry, NOON + MINUTE)
    assert (len(entries), entries.next_wakeup()) == (0, None)


def test_what_is_due_comes_earliest_first_and_no_more_than_asked_for(entries: EntryMap) -> None:
    for job_id, minutes in ((1, 3), (2, 1), (3, 2), (4, 9)):
        entries.put(job(job_id, NOON + minutes * MINUTE))
    now = NOON + 5 * MINUTE
    assert names(entries, now, 2) == ["job-2", "job-3"]
    assert names(entries, now, 2) == ["job-1"]
    assert entries.next_wakeup() == NOON + 9 * MINUTE


def test_reconciling_removes_what_was_asked_for_and_not_found_and_leaves_the_rest(entries: EntryMap) -> None:
    for job_id in (1, 2, 3):
        entries.put(job(job_id))
    kept = entries.id_of("job-3")
    entries.reconcile([1, 2, 4], [job(2, NOON + MINUTE, version=2), job(4)])
    assert entries.versions() == {2: 2, 3: 1, 4: 1}
    assert entries.id_of("job-3") == kept


def test_reconciling_with_the_same_rows_swaps_nothing(entries: EntryMap) -> None:
    before = entries.put(job(1))
    entries.reconcile([1], [job(1)])
    assert entries.id_of("job-1") == before


def test_a_page_of_entries_follows_the_last_one_in_the_order_of_ids(entries: EntryMap) -> None:
    ids = [entries.put(job(job_id)) for job_id in (5, 3, 9, 1)]
    entries.remove(3)
    assert [entry.entry_id for entry in entries.after(EntryID(0), 2)] == [ids[0], ids[2]]
    assert [entry.entry_id for entry in entries.after(ids[2], 2)] == [ids[3]]


def test_wake_ups_that_no_longer_count_do_not_pile_up(entries: EntryMap) -> None:
    in_a_century = NOON + timedelta(days=36_500)
    entries.put(job(1))
    for version in range(1, 20_000):
        entries.put(job(2, in_a_century, version=version))
    assert len(entries._heap) < 2000
    assert entries.next_wakeup() == NOON
    assert names(entries, in_a_century) == ["job-1", "job-2"]
