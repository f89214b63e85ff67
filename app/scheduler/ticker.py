"""The tick: what is due is claimed; what is late is left to another loop, which may take its time."""

from __future__ import annotations

from asyncio import to_thread
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from app.domain.claim import Candidate
from app.domain.clock import Clock
from app.domain.entries import Due, EntryMap
from app.domain.misfire import is_late, plan
from app.scheduler.claimer import Claimer
from app.scheduler.ledger_clock import LedgerClock
from app.scheduler.looper import LONGEST_WAIT, Looper
from app.scheduler.turns import Turns

BATCH = 200
LATE_BATCH = 20
_EARLY_PAUSE = 0.005

Planned = tuple[list[Due], list[Candidate], list[tuple[Due, Exception]]]


class Ticker:
    """Claims what is due, a batch at a time."""

    def __init__(
        self,
        entries: EntryMap,
        claimer: Claimer,
        turns: Turns,
        time: LedgerClock,
        may_claim: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._entries = entries
        self._claimer = claimer
        self._turns = turns
        self._time = time
        self._may_claim = may_claim
        self._late: deque[Due] = deque()
        self._claiming = False
        self.loop = Looper("ticker", self._step, clock)
        self.late_loop = Looper("late ticker", self._late_step, clock)

    def is_behind(self) -> bool:
        """Whether something is due that is not claimed yet."""
        return self._claiming or self._until_next() <= 0

    async def _step(self) -> float:
        if not self._may_claim():
            return LONGEST_WAIT
        await self._time.look_if_stale()
        now = self._time.now()
        due = await self._in_turn(self._entries.due(now, BATCH), now)
        late = [each for each in due if _is_late(each, now)]
        self._late.extend(late)
        if late:
            self.late_loop.wake()
        on_time = [each for each in due if not _is_late(each, now)] if late else due
        if on_time and await self._claim_on_time(on_time, now):
            return _EARLY_PAUSE
        return self._until_next()

    async def _in_turn(self, due: list[Due], now: datetime) -> list[Due]:
        try:
            return await self._turns.take(due, now)
        except BaseException:
            self._claimer.give_back(due)
            raise

    async def _claim_on_time(self, due: Sequence[Due], now: datetime) -> bool:
        self._claiming = True
        try:
            return await self._claim(_planned(due, now))
        finally:
            self._claiming = False

    async def _late_step(self) -> float:
        if not self._late or not self._may_claim():
            return LONGEST_WAIT
        due = [self._late.popleft() for _ in range(min(LATE_BATCH, len(self._late)))]
        try:
            planned = await to_thread(_planned, due, self._time.now())
        except BaseException:
            self._claimer.give_back(due)
            raise
        await self._claim(planned)
        self.loop.wake()
        return 0 if self._late else LONGEST_WAIT

    async def _claim(self, planned: Planned) -> bool:
        """Say whether some were early, so that the loop doesn't spin on them."""
        due, candidates, poisoned = planned
        try:
            claims = await self._claimer.claim(due, candidates) if candidates else None
            await self._set_aside(poisoned)
        finally:
            self._claimer.give_back(each for each, _ in poisoned)
        if claims is None:
            return False
        self._turns.claimed(claims.won)
        if not claims.early:
            return False
        await self._time.look()
        return True

    async def _set_aside(self, poisoned: list[tuple[Due, Exception]]) -> None:
        while poisoned:
            await self._claimer.set_aside(*poisoned[-1])
            poisoned.pop()

    def _until_next(self) -> float:
        wakeup = self._entries.next_wakeup()
        return LONGEST_WAIT if wakeup is None else max((wakeup - self._time.now()).total_seconds(), 0)


def _is_late(due: Due, now: datetime) -> bool:
    return is_late(due.at, now, due.entry.job.policies.misfire)


def _planned(due: Sequence[Due], now: datetime) -> Planned:
    """Run in a thread for what is late: a hole of years takes a while to count."""
    good: list[Due] = []
    candidates: list[Candidate] = []
    poisoned: list[tuple[Due, Exception]] = []
    for each in due:
        job = each.entry.job
        try:
            planned = plan(job.recurrence, each.at, now, job.policies.misfire, job.exclusions)
            candidates.append(Candidate(job, planned))
            good.append(each)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this job's, and the others go on
            poisoned.append((each, error))
    return good, candidates, poisoned
