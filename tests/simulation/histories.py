"""Legal histories: what may follow what in the life of one run, and who may write it."""

from __future__ import annotations

from uuid import UUID

from app.domain.identity import occurrence_id
from app.domain.lifecycle import BIRTHS, ENDED, FOLLOWS
from app.domain.run import State
from tests.simulation.journal import Change
from tests.simulation.mirror import OF_THE_SCHEDULE, Mirror, Violation, told

_END_CALLS = frozenset({"record", "bury", "settle doubts"})
"""The steps after which a run that was being called is not any more."""

_END_WAITS = frozenset({"call back", "time out", "cancel", "delete", "tick", "start"})
"""And one that waited for its callback: a run may take over from it as it starts, or as it is claimed."""


def check(change: Change, before: Mirror, step: str, writer: UUID | None) -> None:
    """`writer` is the replica whose step it was. Raises Violation."""
    if change.state is None:
        raise Violation(f"a row is gone: {before.runs[change.run_id]}")
    fault = _birth(change, before) if change.old_state is None else _following(change, step, writer)
    if fault:
        raise Violation(f"{fault}\n  {told(change)}\n  before: {_before(change)}")


def _birth(change: Change, before: Mirror) -> str | None:
    if change.state not in BIRTHS:
        return f"born {change.state}"
    if (change.fence, change.attempt) != ((1, 1) if change.state == State.RUNNING else (0, 0)):
        return "born with a wrong fence or attempt"
    if change.trigger not in OF_THE_SCHEDULE:
        return None
    if change.run_id != occurrence_id(change.job_id, change.scheduled_for):
        return "born under an id that is not its occurrence's"
    return "born twice for one occurrence" if change.scheduled_for in before.occurrences[change.job_id] else None


def _following(change: Change, step: str, writer: UUID | None) -> str | None:
    moved = change.state != change.old_state
    if change.old_state in ENDED and (moved or _numbers(change)):
        return "an end is not final"
    if moved and change.state not in FOLLOWS[State(change.old_state)]:
        return f"{change.old_state} was followed by {change.state}"
    if _numbers(change) not in _allowed(change, step):
        return f"fence and attempt moved by {_numbers(change)}"
    return _by_whom(change, step, writer)


def _by_whom(change: Change, step: str, writer: UUID | None) -> str | None:
    if change.old_state == State.RUNNING:
        return _of_a_call(change, step, writer)
    if change.old_state == State.WAITING != change.state and step not in _END_WAITS:
        return f"a wait for a callback was ended by a step that may not: {step}"
    if change.state == State.RUNNING and change.owner != writer:
        return "started for another replica"
    return None


def _allowed(change: Change, step: str) -> set[tuple[int, int] | None]:
    if change.state == State.RUNNING and change.old_state == State.PENDING:
        return {(1, 1)}
    handed_back = step == "settle doubts" and change.old_state == State.RUNNING
    return {(0, -1)} if handed_back else {None}


def _of_a_call(change: Change, step: str, writer: UUID | None) -> str | None:
    if change.state == State.RUNNING:
        return "a running run changed hands" if change.owner != change.old_owner else None
    if step not in _END_CALLS:
        return f"a call was ended by a step that may not: {step}"
    if step != "bury" and change.old_owner != writer:
        return "a replica wrote over its successor"
    return None


def _numbers(change: Change) -> tuple[int, int] | None:
    moved = (change.fence - change.old_fence, change.attempt - change.old_attempt)
    return None if moved == (0, 0) else moved


def _before(change: Change) -> str:
    numbers = f"attempt {change.old_attempt} fence {change.old_fence} owner {change.old_owner}"
    return f"{change.old_state} {numbers}"
