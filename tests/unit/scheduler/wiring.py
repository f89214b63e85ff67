"""The ports of a scheduler, all of them doubles."""

from __future__ import annotations

from app.scheduler.ports import Ports
from tests.unit.scheduler.fake_store import FakeStore
from tests.unit.scheduler.fake_target import FakeTarget

LOOPS = 14


def ports_of(store: FakeStore, target: FakeTarget) -> Ports:
    return Ports(
        jobs=store,
        claims=store,
        starts=store,
        records=store,
        cancels=store,
        pauses=store,
        failing=store,
        members=store,
        keeper=store,
        audit=store,
        target=target,
    )
