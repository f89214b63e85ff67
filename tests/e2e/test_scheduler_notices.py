"""Notices over time, made and called by a whole replica."""

from __future__ import annotations

from app.domain.clock import FakeClock
from app.domain.notice import Event, Notify
from app.domain.policies import Policies
from app.domain.retry import Retry
from app.domain.run import Call, Outcome, Trigger
from tests.unit.scheduler.building import MINUTE
from tests.unit.scheduler.fake_target import OK, FakeTarget
from tests.unit.scheduler.replica import Replica, ServerClock, running

OPS = "http://ops.example/told"
RULE = Notify(on=tuple(Event), endpoint=OPS)
TOLD = Policies(retry=Retry(max_attempts=1), pause_after_failures=3, notify=(RULE,))


class Failing(FakeTarget):
    """The job fails while it is told to; who is told answers with 503 the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.down = True
        self.answer = self._outcome

    def _outcome(self, call: Call) -> Outcome:
        down = call.attempt == 1 if call.trigger is Trigger.NOTIFY else self.down
        return Outcome(error="status 503", status_code=503) if down else OK

    def told(self) -> list[tuple[str | None, int]]:
        """Every call of a notice: its event and its attempt."""
        return [(call.event, call.attempt) for call in self.calls if call.endpoint == OPS]


async def _minutes(replica: Replica, count: int) -> None:
    await replica.pass_time(60 * count, step=0.5)


async def test_a_job_that_fails_and_recovers_and_fails_until_it_pauses_is_told_of_four_times(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    target = Failing()
    async with running(database_url, clock, server, target=target) as replica:
        job = await replica.create(policies=TOLD)
        await _minutes(replica, 2)
        assert target.told() == [("failure", 1), ("failure", 2)]
        target.down = False
        await _minutes(replica, 2)
        assert target.told()[2:] == [("recovery", 1), ("recovery", 2)]
        target.down = True
        await _minutes(replica, 4)
        assert [event for event, attempt in target.told()[4:] if attempt == 1] == ["failure", "auto_paused"]
        notices = [run for run in await replica.ledger.runs_of(job) if run.trigger == "notify"]
        assert [(run.state, run.attempt) for run in notices] == [("succeeded", 2)] * 4
        assert (await replica.jobs.get("job")).pause_note == "paused after 3 failed runs"


async def test_an_outage_is_told_of_by_whoever_ends_it(
    database_url: str, clock: FakeClock, server: ServerClock
) -> None:
    target = Failing()
    target.down = False
    async with running(database_url, clock, server) as before:
        job = await before.create(policies=TOLD)
    clock.step(30 * MINUTE)
    server.step(30 * MINUTE)
    async with running(database_url, clock, server, target=target) as replica:
        await _minutes(replica, 1)
        assert target.told() == [("missed", 1), ("missed", 2)]
        missed = [run for run in await replica.ledger.runs_of(job) if run.state == "missed"]
        [told, _] = [call.body for call in target.calls if call.endpoint == OPS]
        assert (told["count"], told["run_id"]) == (len(missed), str(missed[-1].id))
        assert len(missed) >= 25
