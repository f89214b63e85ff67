"""What has had its time goes; what may still be asked for, or prevents that a run is made twice, stays."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from app.db.tables import job_versions
from app.db.tables import pruned as pruned_table
from app.db.transaction import reading, transaction
from app.domain.backfill import BackfillRequest
from app.domain.clock import FakeClock
from app.domain.errors import InvalidInput, JobNotFound
from app.domain.explanation import Finding
from app.domain.misfire import PlannedSpan
from app.domain.policies import Policies
from app.service import retention as module
from app.service.history import HistoryService
from app.service.retention import RetentionService
from tests.db.building import JUST, MINUTE, NOON, SECOND, Ledger, roomy, scheduled
from tests.db.explaining import sentence, told
from tests.db.keeping import DAY, attempts_of, days_ago, gone_before, pruned, runs_at

OLD, RECENT = days_ago(40), days_ago(20)


async def test_runs_go_with_their_attempts_once_they_have_had_their_days(ledger: Ledger) -> None:
    job = await ledger.create()
    await runs_at(ledger, job, OLD, RECENT)
    await pruned(ledger)
    assert scheduled(await ledger.runs_of(job)) == [RECENT]
    assert await attempts_of(ledger) == [RECENT]
    gone = await gone_before(ledger, job)
    assert gone is not None
    assert OLD < gone <= OLD + SECOND


@pytest.mark.parametrize(
    ("state", "more"),
    [
        ("running", {}),
        ("waiting", {}),
        ("pending", {}),
        ("pending", {"attempt": 0}),
        ("pending", {"attempt": 0, "waiting_for": "limit reports"}),
    ],
)
async def test_a_run_that_has_not_ended_stays_until_it_has(ledger: Ledger, state: str, more: dict[str, object]) -> None:
    job = await ledger.create()
    await runs_at(ledger, job, OLD, state=state, **more)
    await pruned(ledger)
    assert scheduled(await ledger.runs_of(job)) == [OLD]
    await ledger.execute("UPDATE job_runs SET state = 'failed', waiting_for = NULL")
    await pruned(ledger)
    assert await ledger.runs_of(job) == []


async def test_what_a_job_may_still_claim_is_not_made_twice(ledger: Ledger) -> None:
    job = await ledger.create(schedule="0 12 * * *")
    await runs_at(ledger, job, days_ago(41), OLD)
    await ledger.overwrite(job, next_run=OLD)
    await pruned(ledger)
    assert scheduled(await ledger.runs_of(job)) == [OLD]
    await ledger.claims.claim(job.uid, [await ledger.candidate(job, OLD)], roomy())
    assert scheduled(await ledger.runs_of(job)) == [OLD]


async def test_a_job_that_cannot_be_read_keeps_nothing(ledger: Ledger) -> None:
    job = await ledger.create()
    await runs_at(ledger, job, OLD)
    await ledger.overwrite(job, next_run=days_ago(60), dst_gap="later")
    await pruned(ledger)
    assert await ledger.runs_of(job) == []


async def test_a_job_that_is_changed_after_the_clock_was_set_back_repeats_nothing(
    ledger: Ledger, clock: FakeClock
) -> None:
    job = await ledger.create(schedule="0 12 1 * *")
    async with ledger.database.begin() as connection:
        await connection.execute(job_versions.update().values(effective_from=days_ago(60)))
    await runs_at(ledger, job, OLD)
    await pruned(ledger)
    clock.step(OLD - MINUTE - NOON)
    changed = await ledger.patch("job", schedule="0 12 * * *")
    assert changed.next_run is not None
    assert changed.next_run > OLD


async def test_a_batch_takes_so_many_and_then_others_have_their_turn(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    job = await ledger.create(policies=Policies(keep_runs=1))
    instants = [RECENT + MINUTE * each for each in range(10)]
    await runs_at(ledger, job, *instants)
    left = []
    service = RetentionService(ledger.database, 30 * DAY)
    while await service.prune(budget=0):
        left.append(len(await ledger.runs_of(job)))
    assert [count for count in dict.fromkeys(left) if count < len(instants)] == [7, 4, 1]
    assert await attempts_of(ledger) == [RECENT + 9 * MINUTE]


async def test_two_keepers_at_once_take_each_row_once(
    ledger: Ledger, rival: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 5)
    job = await ledger.create(policies=Policies(keep_runs=3))
    await runs_at(
        ledger, job, *(RECENT + MINUTE * each for each in range(40)), *(OLD + MINUTE * each for each in range(40))
    )
    await asyncio.gather(*(pruned(each) for each in (ledger, rival) * 2))
    assert scheduled(await ledger.runs_of(job)) == [RECENT + MINUTE * each for each in (37, 38, 39)]


async def test_only_the_newest_ended_runs_are_kept_where_the_job_says_so(ledger: Ledger) -> None:
    few, all_of_them = await ledger.create("few", policies=Policies(keep_runs=2)), await ledger.create("all")
    instants = [RECENT + MINUTE * each for each in range(5)]
    for job in (few, all_of_them):
        await runs_at(ledger, job, *instants)
    await runs_at(ledger, few, RECENT - MINUTE, state="running")
    await ledger.overwrite(few, last_success=RECENT, last_run=RECENT)
    await pruned(ledger)
    assert scheduled(await ledger.runs_of(few)) == [RECENT - MINUTE, *instants[3:]]
    assert scheduled(await ledger.runs_of(all_of_them)) == instants
    assert (await ledger.jobs.get("few")).last_success == RECENT
    assert instants[2] < (await gone_before(ledger, few) or NOON) < instants[3]
    assert await gone_before(ledger, all_of_them) is None


async def test_of_few_runs_too_those_stay_that_the_job_may_still_claim(ledger: Ledger) -> None:
    job = await ledger.create(policies=Policies(keep_runs=1))
    instants = [RECENT + MINUTE * each for each in range(5)]
    await runs_at(ledger, job, *instants)
    await ledger.overwrite(job, next_run=instants[2])
    await pruned(ledger)
    assert scheduled(await ledger.runs_of(job)) == instants[2:]


async def test_it_is_said_of_what_has_gone_that_it_aged_out(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(keep_runs=2))
    instants = [NOON + MINUTE * each for each in range(1, 5)]
    await runs_at(ledger, job, *instants)
    clock.step(10 * MINUTE)
    await ledger.overwrite(job, next_run=NOON + 11 * MINUTE)
    await pruned(ledger)
    assert await sentence(ledger, job, instants[0]) == (
        "forgotten",
        (
            "Aged out: version 1 (* * * * *, UTC) was due, and the job keeps 2 runs: those before 2027-03-01T12:02:00Z"
            " have gone."
        ),
    )
    assert (await told(ledger, job, NOON + 7 * MINUTE)).finding is Finding.UNACCOUNTED
    clock.step(31 * DAY)
    await ledger.overwrite(job, next_run=clock.now() + MINUTE)
    await pruned(ledger)
    assert await sentence(ledger, job, instants[3]) == (
        "forgotten",
        "Aged out: version 1 (* * * * *, UTC) was due, and runs are kept since 2027-03-02T12:10:00Z.",
    )


async def test_what_went_is_remembered_when_more_is_to_be_kept(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="0 13 * * *")
    at = NOON + timedelta(hours=1)
    await runs_at(ledger, job, at)
    clock.step(10 * DAY)
    await ledger.overwrite(job, next_run=clock.now() + DAY)
    await pruned(ledger, kept=2 * DAY)
    ledger.history = HistoryService(ledger.database, 90 * DAY)
    assert await sentence(ledger, job, at) == (
        "forgotten",
        "Aged out: version 1 (0 13 * * *, UTC) was due, and those before 2027-03-01T13:00:00Z have gone.",
    )


async def test_what_has_gone_makes_no_job_look_completed(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(policies=Policies(max_runs=4, keep_runs=1))
    instants = [NOON + MINUTE * each for each in range(1, 5)]
    await runs_at(ledger, job, *instants)
    clock.step(10 * MINUTE)
    await ledger.overwrite(job, next_run=None, completed=True, runs_made=4)
    await pruned(ledger)
    assert (await told(ledger, job, instants[1])).finding is Finding.FORGOTTEN
    assert (await told(ledger, job, NOON + 6 * MINUTE)).finding is Finding.ENDED


async def test_what_is_missing_among_rows_that_went_nobody_can_say(ledger: Ledger) -> None:
    job = await ledger.create(schedule="0 12 * * *")
    await ledger.overwrite(job, created_at=days_ago(60))
    await runs_at(ledger, job, OLD)
    await pruned(ledger)
    asked = BackfillRequest(since=OLD - JUST, until=NOON)
    with pytest.raises(InvalidInput, match="Nobody can say what is missing") as refused:
        await ledger.backfills.create("job", asked)
    assert refused.value.field == "since"
    made, _ = await ledger.backfills.create("job", BackfillRequest(since=OLD + MINUTE, until=NOON))
    assert made.total == 40
    made, _ = await ledger.backfills.create("job", BackfillRequest(since=OLD - JUST, until=OLD, only_missing=False))
    assert made.total == 1


async def test_a_job_of_which_nothing_can_have_gone_is_backfilled_as_far_back_as_one_likes(ledger: Ledger) -> None:
    await runs_at(ledger, await ledger.create("older"), OLD)
    await pruned(ledger)
    await ledger.create(schedule="0 12 * * *")
    made, _ = await ledger.backfills.create("job", BackfillRequest(since=days_ago(90), until=NOON))
    assert made.total == 90


async def test_spans_and_backfills_go_when_runs_of_their_time_do(ledger: Ledger, clock: FakeClock) -> None:
    job = await ledger.create(schedule="0 12 * * *")
    async with transaction(ledger.database) as tx:
        spans = [PlannedSpan(at - DAY, at, 1, "paused") for at in (OLD, RECENT)]
        await tx.spans.add((job.uid, 1, span) for span in spans)
        await tx.spans.open([job], days_ago(50), "paused")
    made, _ = await ledger.backfills.create("job", BackfillRequest(since=days_ago(3), until=NOON))
    await pruned(ledger)
    assert [span.until for span in await ledger.spans_of(job)] == [RECENT, None]
    clock.step(32 * DAY)
    await ledger.overwrite(job, next_run=None)
    await pruned(ledger)
    assert (await ledger.backfills.get(made.id))[1].unfinished == 3
    await ledger.execute("UPDATE job_runs SET state = 'succeeded', waiting_for = NULL")
    await pruned(ledger)
    assert await ledger.backfills.page(None, None, 10) == []


async def test_a_job_that_was_deleted_is_there_by_its_id_until_its_runs_age_out(
    ledger: Ledger, clock: FakeClock
) -> None:
    job, other = await ledger.create(policies=Policies(keep_runs=1)), await ledger.create("other")
    await runs_at(ledger, job, *(NOON + each * SECOND for each in range(3)))
    await pruned(ledger)
    await ledger.jobs.delete("job")
    clock.step(20 * DAY)
    await pruned(ledger)
    assert len(await ledger.runs_of(job)) == 1
    assert (await ledger.history.versions(job.uid, None, 10))[0].version == 1
    clock.step(20 * DAY)
    await ledger.overwrite(other, next_run=clock.now())
    await ledger.execute("UPDATE job_runs SET state = 'running'")
    await pruned(ledger)
    assert len(await ledger.versions_of(job)) == 1
    await ledger.execute("UPDATE job_runs SET state = 'succeeded'")
    await pruned(ledger)
    assert await ledger.runs_of(job) == []
    assert await ledger.versions_of(job) == []
    with pytest.raises(JobNotFound):
        await sentence(ledger, job.uid, NOON + MINUTE)
    assert [row.job_id for row in await ledger.table(job_versions)] == [other.uid]
    async with reading(ledger.database) as tx:
        kept = (await tx._connection.execute(pruned_table.select())).all()
    assert [row.job_id.int for row in kept] == [0]


async def test_runs_may_be_kept_for_as_many_days_as_one_can_set(ledger: Ledger) -> None:
    """That is to before 1970, from where the ids of runs count."""
    job = await ledger.create(policies=Policies(keep_runs=1))
    await runs_at(ledger, job, OLD, RECENT)
    await pruned(ledger, kept=36_500 * DAY)
    assert scheduled(await ledger.runs_of(job)) == [RECENT]
