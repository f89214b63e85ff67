"""What the replicas said, against what is expected, and as the document has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.mess.expected import BESIDE, DUE, Told, called
from tests.mess.jobs import JOBS
from tests.mess.moments import Moments, instant
from tests.mess.night import Night
from tests.mess.pattern import Pattern
from tests.mess.target import Target

ALL_NIGHT = "2037-10-24T23:50:00Z/2037-10-25T01:31:00Z"


@dataclass
class Report:
    """`rows` are what is told, plain, by job; `faults` what is wrong."""

    moments: Moments
    target: Target
    rows: dict[str, list[Told]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    async def look(self, night: Night) -> None:
        for job in JOBS:
            self._compare(job, DUE[job], await night.ask(job, ALL_NIGHT))
            for expected in BESIDE.get(job, []):
                asked = await night.ask(job, f"{instant(expected[0]):%Y-%m-%dT%H:%M:%SZ}")
                self._compare(job, [expected], asked)
            self._compare_calls(job)

    def _compare(self, job: str, expected: Sequence[Told], said: Sequence[dict[str, Any]]) -> None:
        told = [item["at"][11:19] for item in said]
        due = [f"{instant(at):%H:%M:%S}" for at, _, _ in expected]
        if told != due:
            self.faults.append(f"{job}: instants\n  expected {due}\n  told     {told}")
            return
        for (at, verdict, text), item in zip(expected, said, strict=True):
            pattern = Pattern(text, self.moments, self.target.calls)
            self.rows.setdefault(job, []).append((item["local"], verdict, pattern.plain))
            if item["verdict"] != verdict or not pattern.fits(item["sentence"]):
                happened, was_told = f"{verdict}: {pattern.plain}", f"{item['verdict']}: {item['sentence']}"
                self.faults.append(f"{job} {at}\n  expected {happened}\n  told     {was_told}")

    def _compare_calls(self, job: str) -> None:
        seen = sorted({call.at for call in self.target.calls if call.job == job})
        if seen != sorted(map(instant, called(DUE[job]))):
            self.faults.append(f"{job}: the target was called for {[f'{at:%H:%M:%S}' for at in seen]}")
