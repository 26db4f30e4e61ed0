"""The law can be broken: each kind of breach is seen, and a clean run is none."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.booper.faults.accounting import Books, Row, Store, balance, push_id

A = "019aa5c2-0000-7000-8000-00000000000a"
B = "019aa5c3-0000-7000-8000-00000000000b"


def books(
    *,
    ids: tuple[str, ...] = (A, B),
    pushes: tuple[tuple[str, int], ...] = ((A, 1), (A, 2), (B, 1), (B, 2)),
    outcomes: tuple[tuple[int, int], ...] = ((1, 1), (1, 2), (2, 1), (2, 2)),
    doubted: int = 0,
) -> Books:
    """Two notifications to two devices, all accepted; each test leaves something out."""
    rows = [Row(number, own, "done", 2, 2, 0, 0, 0, 0, doubted) for number, own in ((1, A), (2, B))]
    store = Store(rows, dict.fromkeys(outcomes, "accepted"), Counter(), 0, frozenset(), [1, 2])
    ledger = Counter((f"{device:064x}", push_id(own, device)) for own, device in pushes)
    return Books({f"key-{own}": {own} for own in ids}, store, ledger)


def test_a_clean_run_is_lawful() -> None:
    figures = balance(books())
    assert figures.lawful
    assert (figures.waiting, figures.duplicates, figures.pushes) == (0, 0, 4)


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        (books(ids=(A, B, "019aa5c4-0000-7000-8000-00000000000c")), "unanswered"),
        (books(ids=(A,)), "invented"),
        (books(pushes=((A, 1), (A, 2), (B, 1))), "lost"),
        (books(pushes=((A, 1), (A, 2), (B, 1), (B, 2), (B, 3))), "unasked"),
        (books(outcomes=((1, 1), (1, 2), (2, 1))), "untold"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_breach_is_seen(broken: Books, field: str) -> None:
    figures = balance(broken)
    assert not figures.lawful
    assert getattr(figures, field) > 0


def test_doubles_are_lawful_only_where_they_were_in_doubt() -> None:
    twice = ((A, 1), (A, 1), (A, 2), (B, 1), (B, 2))
    assert not balance(books(pushes=twice)).lawful
    figures = balance(books(pushes=twice, doubted=1))
    assert figures.lawful
    assert figures.duplicates == 1


def test_two_rows_for_one_key_are_a_breach() -> None:
    whole = books()
    assert not balance(whole._replace(answers={"key": {A, B}})).lawful
