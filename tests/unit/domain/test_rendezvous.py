"""Which replica is to try a job first."""

from __future__ import annotations

from collections import Counter
from random import Random
from uuid import UUID

import pytest

from app.domain.rendezvous import first_for

DICE = Random(1)  # noqa: S311  # the same each time
JOBS = [UUID(int=DICE.getrandbits(128)) for _ in range(3000)]
REPLICAS = [UUID(int=DICE.getrandbits(128)) for _ in range(5)]


def test_the_order_in_which_replicas_are_known_does_not_matter() -> None:
    assert [first_for(job, REPLICAS) for job in JOBS] == [first_for(job, reversed(REPLICAS)) for job in JOBS]


def test_each_replica_has_its_share() -> None:
    shares = Counter(first_for(job, REPLICAS) for job in JOBS)
    assert set(shares) == set(REPLICAS)
    assert all(abs(share - 600) < 100 for share in shares.values()), shares


def test_jobs_whose_ids_differ_little_are_spread_all_the_same() -> None:
    shares = Counter(first_for(UUID(int=JOBS[0].int + number), REPLICAS) for number in range(3000))
    assert all(abs(share - 600) < 100 for share in shares.values()), shares


def test_a_replica_that_leaves_moves_its_share_alone() -> None:
    left = REPLICAS[1:]
    moved = {first_for(job, REPLICAS) for job in JOBS if first_for(job, REPLICAS) != first_for(job, left)}
    assert moved == {REPLICAS[0]}
    heirs = Counter(first_for(job, left) for job in JOBS if first_for(job, REPLICAS) == REPLICAS[0])
    assert set(heirs) == set(left)


def test_a_replica_alone_has_every_job() -> None:
    assert first_for(JOBS[0], REPLICAS[:1]) == REPLICAS[0]
    with pytest.raises(ValueError, match="empty"):
        first_for(JOBS[0], [])
