from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from app.domain.identity import backfilled_id, created_id, first_id, id_range, ledger_window, occurrence_id

ROOT = Path(__file__).parents[3]
JOB = UUID("0193a1b2-c3d4-7e5f-9a0b-1c2d3e4f5a6b")
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

instants = st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))
jobs = st.uuids()


@given(jobs, instants, st.binary(min_size=1, max_size=40))
def test_an_id_is_a_uuid_of_version_8(job: UUID, at: datetime, nonce: bytes) -> None:
    for run_id in (occurrence_id(job, at), created_id(at, nonce)):
        assert (run_id.version, run_id.variant) == (8, RFC_4122)


@given(jobs, jobs, instants, instants)
def test_ids_sort_by_time(first: UUID, second: UUID, one: datetime, other: datetime) -> None:
    """Within a millisecond they sort in no particular way."""
    earlier, later = sorted((one, other))
    if later - earlier >= MILLISECOND:
        assert occurrence_id(first, earlier) < occurrence_id(second, later)
        assert created_id(earlier, b"b") < created_id(later, b"a")


@given(jobs, instants)
def test_the_window_of_an_id_holds_the_instant_and_is_a_millisecond(job: UUID, at: datetime) -> None:
    for run_id in (occurrence_id(job, at), created_id(at, b"nonce")):
        start, end = ledger_window(run_id)
        assert start <= at < end
        assert end - start == MILLISECOND
        assert start.tzinfo is UTC


@given(jobs, instants, st.timedeltas(timedelta(0), timedelta(days=20)))
def test_no_later_run_has_a_lesser_id_than_the_first(job: UUID, at: datetime, more: timedelta) -> None:
    for run_id in (occurrence_id(job, at + more), created_id(at + more, b"nonce")):
        assert first_id(at) <= run_id < first_id(at + more + MILLISECOND)


def test_the_same_occurrence_has_the_same_id_wherever_it_is_computed() -> None:
    told = "from app.domain.identity import occurrence_id as i; from datetime import *; from uuid import UUID; "
    told += f"print(i(UUID('{JOB}'), datetime(2027, 3, 1, 12, tzinfo=timezone.utc)))"
    found = {
        subprocess.run(
            [sys.executable, "-c", told],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {str(occurrence_id(JOB, NOON))}
    assert str(occurrence_id(JOB, NOON)) == "01a400f6-3600-84a5-bf53-905474f102a0"


def test_an_instant_has_one_id_in_whatever_zone_it_is_told() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert occurrence_id(JOB, elsewhere) == occurrence_id(JOB, NOON)


def test_ids_differ_by_job_and_by_microsecond() -> None:
    ids = {occurrence_id(JOB, NOON + timedelta(microseconds=n)) for n in range(2000)}
    ids |= {occurrence_id(UUID(int=n), NOON) for n in range(2000)}
    assert len(ids) == 4000


def test_created_ids_differ_by_nonce_and_are_repeatable() -> None:
    assert created_id(NOON, b"a") != created_id(NOON, b"b")
    assert created_id(NOON, b"a") == created_id(NOON, b"a")


def test_a_backfill_has_one_id_for_each_occurrence() -> None:
    created, other = NOON + timedelta(days=1), UUID(int=2)
    ids = {backfilled_id(JOB, created, NOON + timedelta(microseconds=n)) for n in range(1000)}
    assert len(ids) == 1000
    assert backfilled_id(JOB, created, NOON) in ids
    assert backfilled_id(other, created, NOON) not in ids
    assert {ledger_window(each)[0] for each in ids} == {created}


@given(jobs, instants, instants, instants)
def test_the_range_of_ids_holds_those_of_the_instants_within_it_and_no_others(
    job: UUID, one: datetime, other: datetime, at: datetime
) -> None:
    first, last = sorted((one, other))
    low, high = id_range(first, last)
    assert (low <= occurrence_id(job, at) <= high) or not first <= at <= last
    if not first - MILLISECOND <= at <= last + MILLISECOND:
        assert not low <= occurrence_id(job, at) <= high


def test_ids_of_a_per_second_job_go_forward() -> None:
    ids = [occurrence_id(JOB, NOON + timedelta(seconds=n)) for n in range(1000)]
    assert all(a < b for a, b in pairwise(ids))
