"""The life of a run: the one place that says which state may follow which.

Every update of `job_runs.state` names what it may come from by `before`, or asks `require` of the row it has locked.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from app.domain.errors import Conflict
from app.domain.run import State

_ENDS = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELED, State.LOST})

FOLLOWS: Mapping[State, frozenset[State]] = MappingProxyType(
    {state: frozenset[State]() for state in State}
    | {
        State.PENDING: frozenset(
            {State.RUNNING, State.SKIPPED, State.CANCELED, State.FAILED, State.MISSED, State.LOST}
        ),
        State.RUNNING: _ENDS | {State.PENDING, State.WAITING},
        State.WAITING: frozenset({State.SUCCEEDED, State.FAILED, State.CANCELED, State.PENDING, State.LOST}),
    }
)
"""What may come after each state. Nothing follows an end. A pending run fails only by its deadline.

It is missed, or after its first call lost, only by `recover`, and so is one lost that waits for its callback.
"""

BIRTHS = frozenset({State.PENDING, State.RUNNING, State.SKIPPED, State.MISSED})
"""In which states a row may be inserted."""

ENDED = frozenset(state for state in State if not FOLLOWS[state])


def before(state: State) -> frozenset[State]:
    """The states that this one may follow, for the WHERE of an update."""
    return frozenset(old for old, following in FOLLOWS.items() if state in following)


def require(old: State | str, new: State) -> None:
    """Raises Conflict where a run that is `old` may not become `new`."""
    if new not in FOLLOWS[State(old)]:
        raise Conflict(f"A run that is {State(old)} can't become {new}.")
