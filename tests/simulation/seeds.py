"""How long the simulation among the tests is, and the seeds that failed once."""

from __future__ import annotations

SHORT = 1000
"""Steps; what fifty jobs do in half a day."""

FAILED_ONCE = [
    (6, 3000, None),  # runs that two limits concern were sent from one queue into the other, and back
    (7, 500, None),  # the clock went back between two changes of a job, and so did its history
    (10, 4000, 800),  # a result that nobody could record any more let a run begin beside the one that was taken over
    (4, 50_000, 500),  # the same, of a replica that died before it recorded a result
    (5, 1500, 910),  # a job was paused behind an occurrence that it had claimed before the clock went back
]
"""Each with its steps, and the step after which the end may begin. What a seed leads to changes with the code."""
