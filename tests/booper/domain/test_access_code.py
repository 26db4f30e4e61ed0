"""Access codes in numbers: what is one, how many are short, how often anybody may guess."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain import access_code
from booper.domain.access_code import (
    APP_GUESSES,
    HOUSE_GUESSES,
    MOST_SHORT,
    SOURCE_GUESSES,
    WINDOW,
    Form,
    State,
)
from booper.domain.errors import Invalid

NOW = 1_800_000_000.0
N = 10**6
WORST = 2e-3  # chance of a hit in one window, wherever it begins


FULLWIDTH = "".join(chr(0xFF10 + digit) for digit in range(1, 7))
ARABIC = "".join(chr(0x660 + digit) for digit in range(1, 7))


@pytest.mark.parametrize(
    "typed",
    ["123456", " 123456", "123 456", "123-456", "123–456\u2003", "l23456", FULLWIDTH, ARABIC],
)
def test_one_code_has_one_spelling(typed: str) -> None:
    assert access_code.spelled(typed) == "123456"


@pytest.mark.parametrize("typed", ["+123456", "123456.0", "0x1E240", "123_456", "1e5", "", "²"])
def test_what_is_no_code_stays_none(typed: str) -> None:
    found = access_code.spelled(typed)
    assert found != "123456"
    assert not access_code.is_long(found)


def test_letters_are_taken_for_what_they_look_like() -> None:
    assert access_code.spelled("o1il-abcd") == access_code.spelled("0111ABCD") == "0111ABCD"
    assert access_code.is_long("0111ABCD")
    assert not access_code.is_long("0111ABCU")
    assert not access_code.is_long("0111ABC")


@given(st.text(max_size=64), st.text("0123456789oOiIlLaZ -" + FULLWIDTH + ARABIC, max_size=12))
def test_a_spelling_is_final(junk: str, typed: str) -> None:
    once = access_code.spelled(typed)
    assert access_code.spelled(once) == once
    assert once.isascii()
    access_code.digest(b"key", access_code.spelled(junk))


@given(st.binary(min_size=16, max_size=16), st.sampled_from(Form))
def test_a_code_is_as_long_as_its_form_and_is_its_own_spelling(raw: bytes, form: Form) -> None:
    code = access_code.minted(form, raw)
    assert len(code) == (8 if form is Form.LONG else 6)
    assert access_code.spelled(code) == code
    assert access_code.is_long(code) is (form is Form.LONG)


def test_leading_zeros_are_kept_and_every_place_is_used() -> None:
    assert access_code.minted(Form.SHORT, (42).to_bytes(16)) == "000042"
    assert access_code.minted(Form.LONG, bytes(16)) == "00000000"
    raws = [(n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).to_bytes(16) for n in range(4000)]
    for form, kinds in ((Form.SHORT, 10), (Form.LONG, 32)):
        codes = [access_code.minted(form, raw) for raw in raws]
        for place in zip(*codes, strict=True):
            counts = Counter(place)
            assert len(counts) == kinds
            assert max(counts.values()) < 2 * len(raws) / kinds
    with pytest.raises(ValueError, match="16 bytes"):
        access_code.minted(Form.SHORT, b"x")


def test_a_digest_belongs_to_its_key() -> None:
    one = access_code.digest(b"k" * 32, "123456")
    assert one == access_code.digest(b"k" * 32, "123456")
    others = [access_code.digest(b"l" * 32, "123456"), access_code.digest(b"k" * 32, "123457")]
    assert one not in others
    assert "123456" not in one


@pytest.mark.parametrize(
    ("wanted", "life", "in_app", "in_house", "pressed", "found"),
    [
        (Form.SHORT, WINDOW, 0, 0, False, Form.SHORT),
        (Form.SHORT, WINDOW + 0.1, 0, 0, False, Form.LONG),
        (Form.SHORT, 1, 19, 19, False, Form.SHORT),
        (Form.SHORT, 1, 20, 19, False, Form.LONG),
        (Form.SHORT, 1, 0, 20, False, Form.LONG),
        (Form.SHORT, 1, 0, 0, True, Form.LONG),
        (Form.SHORT_IN_APP, 1, 19, 4711, False, Form.SHORT_IN_APP),
        (Form.SHORT_IN_APP, 1, 20, 0, False, Form.LONG),
        (Form.SHORT_IN_APP, 1, 0, 0, True, Form.LONG),
        (Form.LONG, 1, 0, 0, False, Form.LONG),
    ],
)
def test_six_digits_are_for_few_and_for_a_short_while(
    wanted: Form, life: float, in_app: int, in_house: int, *, pressed: bool, found: Form
) -> None:
    assert access_code.form(wanted, life, in_app, in_house, pressed) is found


@pytest.mark.parametrize(
    ("at", "seconds", "longest", "found"),
    [
        (None, None, 300.0, 300.0),
        (None, None, 60.0, 60.0),
        (None, None, 3600.0, 300.0),
        (None, 1.5, 300.0, 1.5),
        (NOW + 299, None, 300.0, 299.0),
        (NOW + 300, None, 300.0, 300.0),
        (NOW + 301, None, 300.0, "/expires_at"),
        (NOW, None, 300.0, "/expires_at"),
        (NOW - 1, None, 300.0, "/expires_at"),
        (None, 301.0, 300.0, "/expires_in"),
        (None, 0.0, 300.0, "/expires_in"),
        (None, -1.0, 300.0, "/expires_in"),
        (None, 1e300, 300.0, "/expires_in"),
        (NOW + 5, 5.0, 300.0, ""),
    ],
)
def test_a_code_ends_in_time(
    at: float | None, seconds: float | None, longest: float, found: float | str
) -> None:
    if isinstance(found, float):
        assert access_code.end(NOW, at, seconds, longest) == NOW + found
        return
    with pytest.raises(Invalid) as caught:
        access_code.end(NOW, at, seconds, longest)
    assert (caught.value.code, caught.value.pointer) == ("invalid_expiry", found)


def test_a_state_is_told_also_before_it_is_written_down() -> None:
    assert access_code.state(None, NOW + 1, NOW) is State.LIVE
    assert access_code.state(None, NOW, NOW) is State.EXPIRED
    assert access_code.state("used", NOW, NOW + 9) is State.USED


class Guesser:
    """Everybody who guesses, at one house: every guess is wrong."""

    def __init__(self) -> None:
        self.paid: dict[str, float] = {}

    def guess(self, code: str, source: int, now: float, app: str | None = None) -> bool:
        """Whether the guess was let through."""
        limits = access_code.budgets(code, f"d{source}", f"a{source}", app)
        after, verdict = access_code.judge(limits, self.paid, now)
        if verdict.allowed:
            self.paid |= after
        assert verdict.allowed is (verdict.retry_after == 0)
        return verdict.allowed


def most_in_a_window(times: list[float]) -> int:
    """How many lie in the fullest WINDOW."""
    return max(sum(at <= other < at + WINDOW for other in times) for at in times)


@given(st.lists(st.floats(0, 30), min_size=1, max_size=120))
def test_a_budget_holds_in_every_window(pauses: list[float]) -> None:
    everybody = Guesser()
    through = [at for at in itertools.accumulate(pauses) if everybody.guess("000000", 1, at, "x")]
    assert most_in_a_window(through) <= SOURCE_GUESSES


def test_brute_force_from_a_hundred_addresses_stays_below_the_worst_case() -> None:
    """An hour of a guess each 0.1 s, by turns with and without the app's name."""
    everybody = Guesser()
    through: list[float] = []
    for number in range(36_000):
        app = "x" if number % 2 else None
        if everybody.guess(f"{number:06}", number % 100, number / 10, app):
            through.append(number / 10)
    assert most_in_a_window(through) <= APP_GUESSES + HOUSE_GUESSES
    assert MOST_SHORT * (APP_GUESSES + HOUSE_GUESSES) / N <= WORST
    assert len(through) > 500, "and people who mistype are still heard"


def test_one_source_runs_out_long_before_the_app_does() -> None:
    everybody = Guesser()
    through = [everybody.guess("000000", 1, number / 100, "x") for number in range(1000)]
    assert sum(through) == SOURCE_GUESSES / 2
    assert everybody.guess("000000", 2, 10.0, "x"), "somebody else is still heard"
    assert everybody.guess("000000", 1, WINDOW / 5 + 1, "x"), "and that one after a while"


def test_an_app_s_budget_is_its_own_and_eight_letters_cost_only_the_guesser() -> None:
    everybody = Guesser()
    for number in range(100):
        everybody.guess("000000", number, 0.0, "x")
    assert not everybody.guess("000000", 1000, 0.0, "x")
    assert everybody.guess("000000", 1001, 0.0, "y")
    assert everybody.guess("000000", 1002, 0.0)
    assert everybody.guess("0123ABCD", 1003, 0.0, "x")
    here = [access_code.IN_HOUSE, access_code.in_app("x")]
    assert access_code.pressed(here, everybody.paid, 0.0)
    assert not access_code.pressed(here[:1], everybody.paid, 0.0)
    assert not access_code.pressed(here, everybody.paid, WINDOW)


def test_nodes_may_disagree_about_the_time_and_a_clock_may_be_set_back() -> None:
    everybody = Guesser()
    while everybody.guess("000000", 1, NOW, "x"):
        pass
    assert not everybody.guess("000000", 1, NOW - 30, "x"), "that is no new budget"
    assert everybody.guess("000000", 1, NOW - 86_400, "x"), "and nobody waits for a day"
