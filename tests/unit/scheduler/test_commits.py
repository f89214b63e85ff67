from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from app.scheduler.commits import Commits
from tests.unit.scheduler.building import turns
from tests.unit.scheduler.fake_store import away


class Told:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def commits(told: Told) -> Commits:
    return Commits(told)


@pytest.mark.parametrize("fault", [away(), ZeroDivisionError(), asyncio.CancelledError()], ids=repr)
async def test_one_that_ends_in_whatever_error_is_in_doubt(commits: Commits, told: Told, fault: BaseException) -> None:
    with pytest.raises(type(fault)), commits.under_way():
        raise fault
    assert told.times == 1
    await asyncio.wait_for(commits.ended(), 5)


async def test_one_that_is_answered_is_in_no_doubt(commits: Commits, told: Told) -> None:
    with commits.under_way():
        pass
    assert told.times == 0
    await asyncio.wait_for(commits.ended(), 5)


async def test_all_that_are_under_way_are_waited_for(commits: Commits) -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(commits.under_way())
    second.enter_context(commits.under_way())
    waiting = asyncio.create_task(commits.ended())
    await turns()
    second.close()
    await turns()
    assert not waiting.done()
    first.close()
    await asyncio.wait_for(waiting, 5)


async def test_one_that_begins_later_is_not_waited_for(commits: Commits) -> None:
    """Else a busy replica would wait for ever."""
    with commits.under_way():
        waiting = asyncio.create_task(commits.ended())
        await turns()
        later = ExitStack()
        later.enter_context(commits.under_way())
    await asyncio.wait_for(waiting, 5)
    later.close()
