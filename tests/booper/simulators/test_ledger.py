"""The ledger counts what was accepted, and what was accepted twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.simulators.ledger import Entry, Ledger, Summary


def test_an_empty_ledger() -> None:
    ledger = Ledger()
    assert ledger.summary() == Summary(0, 0, 0, None, None, {})
    assert ledger.page() == []


def test_accepted_distinct_and_duplicates() -> None:
    ledger = Ledger()
    ledger.accept("a", "d1", "n1", 1.0)
    ledger.accept("b", "d2", "n1", 2.0)
    ledger.accept("a", "d1", "n1", 3.0)
    ledger.refuse("Unregistered")
    assert ledger.summary() == Summary(3, 2, 1, 1.0, 3.0, {"Unregistered": 1})
    ledger.accept("a", "d1", "n1", 4.0)
    assert ledger.summary().duplicates == 2
    assert ledger.doubled() == {("d1", "n1"): 3}
    assert ledger.by_device() == {"d1": 3, "d2": 1}
    assert ledger.by_instance() == {"a": 3, "b": 1}
    assert len(ledger) == 4


def test_pages_go_through_the_ledger_in_order() -> None:
    ledger = Ledger()
    for number in range(5):
        ledger.accept("a", "d", str(number), float(number))
    assert ledger.page(0, 2) == [Entry("a", "d", "0", 0.0), Entry("a", "d", "1", 1.0)]
    assert ledger.page(4, 10) == list(ledger)[4:]
    assert ledger.page(5) == []


def test_a_run_is_so_many_entries() -> None:
    ledger = Ledger()
    ledger.accept("a", "d0", "n", 1.0)
    ledger.accept_many("a", [b"d1", b"d2"], [b"n1", b"n2"], 2.0)
    ledger.accept_many("a", [], [], 2.5)
    ledger.accept("a", "d3", "n", 3.0)
    assert len(ledger) == 4
    assert list(ledger) == [
        Entry("a", "d0", "n", 1.0),
        Entry("a", "d1", "n1", 2.0),
        Entry("a", "d2", "n2", 2.0),
        Entry("a", "d3", "n", 3.0),
    ]
    ledger.accept_many("a", [b"d1"], [b"n1"], 4.0)
    assert ledger.summary() == Summary(5, 4, 1, 1.0, 4.0, {})
    with pytest.raises(ValueError, match="2 devices, 1 ids"):
        ledger.accept_many("a", [b"d1", b"d2"], [b"n1"], 4.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.booleans())))
def test_counting_at_any_moment_gives_the_same_as_counting_once(
    pushes: list[tuple[str, str, bool]],
) -> None:
    ledger = Ledger()
    for device, push_id, look in pushes:
        ledger.accept("a", device, push_id, 0.0)
        if look:
            ledger.summary()
    keys = [(device, push_id) for device, push_id, _ in pushes]
    summary = ledger.summary()
    assert (summary.accepted, summary.distinct) == (len(keys), len(set(keys)))
    assert summary.duplicates == sum(keys.count(key) - 1 for key in set(keys))
