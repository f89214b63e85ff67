"""What things are called over all namespaces."""

from __future__ import annotations

from datetime import date

import pytest

from app.domain.gates import CATCH_UP_RATE, limit_gate, told_gate
from app.domain.namespace import DEFAULT, Allowance, entry_key, is_name, plain, qualified

TODAY = date(2027, 3, 1)


@pytest.mark.parametrize(
    ("namespace", "job", "key"),
    [
        (DEFAULT, "nightly", "nightly"),
        ("acme", "nightly", "acme/nightly"),
        (DEFAULT, "acme/nightly", "default/acme/nightly"),
        ("acme", "a/b", "acme/a/b"),
        (DEFAULT, "default/a", "default/default/a"),
    ],
)
def test_the_key_of_an_entry_is_of_one_job_alone(namespace: str, job: str, key: str) -> None:
    assert entry_key(namespace, job) == key


def test_a_name_is_qualified_and_plain_again() -> None:
    assert qualified(DEFAULT, "db/main") == plain("db/main") == "db/main"
    assert qualified("acme", "db/main") == "acme:db/main"
    assert plain("acme:db/main") == "db/main"
    assert qualified(DEFAULT, "acme:db/main") == "default:acme:db/main", "what is another's is not found by its key"


def test_an_owner_is_told_the_name_of_a_limit() -> None:
    assert told_gate(limit_gate("acme:db/main")) == told_gate(limit_gate("db/main")) == "limit db/main"
    for other in (CATCH_UP_RATE, "job 0193a1b2-c3d4-8e5f-9a0b-1c2d3e4f5a6b", "host one.example:80", "replica"):
        assert told_gate(other) == other


@pytest.mark.parametrize("name", ["a", "0", "acme", "a-b", "a" * 63])
def test_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a" * 64, "a_b", "a.b", "a\n", "é", "a:b", "a/b"])
def test_no_names(name: str) -> None:
    assert not is_name(name)


def test_a_day_has_so_many_runs() -> None:
    allowance = Allowance(3, 1, TODAY)
    assert [allowance.take() for _ in range(3)] == [True, True, False]
    assert (allowance.left, allowance.taken) == (0, 2)
    assert not Allowance(3, 5, TODAY).take(), "a quota that was lowered"
