"""Credentials: known again by their hash, a typing error seen by the check, nothing shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain import credential
from booper.domain.credential import ENTROPY, minted, parsed

ONE = minted("bpk", bytes(range(ENTROPY)))


def test_what_was_handed_out_is_known_again() -> None:
    text = ONE.spelled().reveal()
    again = parsed(text)
    assert again == ONE
    assert again is not None
    assert again.proves(ONE.hash)
    assert text.startswith(ONE.prefix + "_")
    assert len(text) == 3 + 1 + 16 + 1 + 32 + 6


def test_nothing_else_proves_it() -> None:
    other = minted("bpk", bytes(range(1, ENTROPY + 1)))
    assert not other.proves(ONE.hash)
    assert not ONE.proves(None)
    assert not ONE.proves("")
    assert not ONE.proves(credential.NOBODY)
    assert minted("bpr", bytes(range(ENTROPY))).hash != ONE.hash


@pytest.mark.parametrize("place", range(len(ONE.spelled().reveal())))
def test_one_wrong_letter_is_no_credential(place: int) -> None:
    text = ONE.spelled().reveal()
    wrong = "b" if text[place] == "a" else "a"
    assert parsed(text[:place] + wrong + text[place + 1 :]) is None
    assert parsed(text[:place] + text[place + 1 :]) is None


@pytest.mark.parametrize("change", [str.upper, lambda t: t + "\n", lambda t: " " + t, lambda t: ""])
def test_another_spelling_is_no_credential(change: type[str]) -> None:
    assert parsed(change(ONE.spelled().reveal())) is None


@given(st.text(max_size=80))
def test_no_text_crashes_it(text: str) -> None:
    parsed(text)


@given(st.binary(min_size=ENTROPY, max_size=ENTROPY))
def test_every_one_can_be_read(entropy: bytes) -> None:
    one = minted("bpk", entropy)
    assert parsed(one.spelled().reveal()) == one


def test_the_secret_is_not_shown() -> None:
    secret = ONE.secret.reveal()
    assert secret not in repr(ONE)
    assert secret not in f"{ONE} {ONE.spelled()} {ONE.prefix} {ONE.hash}"


def test_it_takes_all_of_its_entropy() -> None:
    with pytest.raises(ValueError, match="bytes"):
        minted("bpk", b"short")
