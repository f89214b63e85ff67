from __future__ import annotations

from app.scheduler.slots import CallSlots
from tests.unit.scheduler.building import ONE, THREE, TWO


def test_there_is_room_for_so_many_calls_in_all_and_to_one_host() -> None:
    slots = CallSlots(3, 2, lambda: None)
    assert [slots.admit(host) for host in (ONE, ONE, ONE, TWO, THREE)] == [True, True, False, True, False]
    assert (slots.free, slots.full_hosts(), slots.is_full(ONE), slots.is_full(TWO)) == (0, [ONE], True, False)


def test_a_host_that_is_full_takes_none_of_the_others_places() -> None:
    slots = CallSlots(10, 1, lambda: None)
    assert slots.admit(ONE)
    assert not any(slots.admit(ONE) for _ in range(100))
    assert slots.free == 9


def test_a_place_that_was_given_back_is_free_and_told() -> None:
    told: list[int] = []
    slots = CallSlots(1, 1, lambda: told.append(slots.free))
    assert slots.admit(ONE)
    slots.release(ONE)
    assert (told, slots.full_hosts()) == ([1], [])
    assert slots.admit(ONE)


def test_closed_slots_admit_nothing_and_still_take_places_back() -> None:
    slots = CallSlots(2, 2, lambda: None)
    assert slots.admit(ONE)
    slots.closed = True
    assert (slots.free, slots.admit(ONE)) == (0, False)
    slots.release(ONE)
    slots.closed = False
    assert slots.free == 2


def test_a_quarter_of_the_places_is_kept_from_what_is_caught_up() -> None:
    slots = CallSlots(8, 4, lambda: None)
    assert (slots.spare, slots.spare_at(ONE), slots.crowded_hosts()) == (6, 3, [])
    assert all(slots.admit(host) for host in (ONE, ONE, ONE, TWO, TWO))
    assert (slots.spare, slots.spare_at(ONE), slots.spare_at(TWO), slots.crowded_hosts()) == (1, 0, 1, [ONE])
    assert all(slots.admit(host) for host in (ONE, TWO, THREE))
    assert (slots.spare, slots.spare_at(ONE), slots.crowded_hosts()) == (0, 0, [ONE, TWO])
