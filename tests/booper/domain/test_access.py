"""Access tokens: how long each is good for, what is refused, what is remembered."""

from __future__ import annotations

import base64
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain.access import (
    REJECTIONS,
    REMEMBERED,
    AccessToken,
    Kept,
    Rejections,
    Resolution,
    Setbacks,
    Shelf,
    Source,
    keep,
    token_of,
)
from booper.domain.secret import Secret

WALL = 1_800_000_000.0


def jwt(**claims: object) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"head.{part}.signature"


def access(life: float = 3600.0) -> AccessToken:
    return AccessToken(Secret("text"), WALL, math.inf, WALL + life)


def kept(life: float, lead: float = 3600.0, dice: float = 0.0) -> Kept:
    return keep(access(life), Source.GRANT, lead=lead, wall=WALL, now=50.0, dice=dice)


@pytest.mark.parametrize(
    "text", ["", "  \n", "a\nb", "a\rb", "a\0b", "tökén", "x" * 16_385, "a\x7fb", "a\tb"]
)
def test_w8_what_is_no_token_is_refused_without_being_quoted(text: str) -> None:
    found = token_of(text, ttl=60, wall=WALL)
    assert isinstance(found, str)
    assert not text.strip() or text not in found


def test_w9_the_end_is_the_token_s_own_then_the_source_s_then_the_ttl() -> None:
    def end(text: str, life: float | None = None) -> float | str:
        found = token_of(text, ttl=60, wall=WALL, life=life)
        return found if isinstance(found, str) else found.expires_at - WALL

    assert end(jwt(exp=WALL + 10), 300.0) == 10
    assert end("opaque", 300.0) == 300
    assert end(" opaque\n") == 60
    assert end(jwt(exp=WALL - 1)) == "it has expired"
    assert end("opaque", 0.0) == "it has expired"
    assert end("opaque", math.nan) == "it has expired"
    for odd in ("a.b.c", "..", "a.!.c", "a.e30.c", jwt(exp="soon"), jwt(exp=None), jwt(iat=1)):
        assert end(odd) == 60


@given(st.text(max_size=300), st.floats(allow_nan=True))
def test_no_source_can_upset_it(text: str, life: float) -> None:
    found = token_of(text, ttl=60, wall=WALL, life=life)
    if not isinstance(found, str):
        assert found.expires_at > WALL
        assert found.text.reveal() == text.strip()


def test_it_is_renewed_before_its_end_and_not_handed_out_at_its_very_end() -> None:
    day = kept(86_400)
    assert (day.renew, day.until) == (50 + 86_400 - 10 - 3600, 50 + 86_400 - 10)
    # An hour's life with an hour's lead would always be renewed: the lead is a part of the life.
    assert kept(3600).renew == 50 + 3600 - 10 - 720
    assert kept(10).renew > 50
    assert kept(10).until == 59
    assert kept(86_400, lead=0).renew == math.inf
    assert (kept(math.inf).renew, kept(math.inf).until) == (math.inf, math.inf)


@given(st.floats(0.001, 1e9), st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
def test_the_renewal_lies_within_the_life(life: float, lead: float, dice: float) -> None:
    one = kept(life, lead, dice)
    assert one.renew >= 50 or one.renew == math.inf
    assert one.until >= 50
    assert one.until <= 50 + life


def test_w9_those_that_start_together_do_not_renew_together() -> None:
    assert len({kept(86_400, dice=n / 10).renew for n in range(10)}) == 10


def test_a_codec_s_own_time_of_renewal_counts() -> None:
    own = AccessToken(Secret("text"), WALL, WALL + 3000, WALL + 3600)
    one = keep(own, Source.MINTED, lead=3600, wall=WALL, now=50, dice=0)
    assert one.renew == 50 + 3600 - 10 - 720
    own = AccessToken(Secret("text"), WALL, WALL + 1000, WALL + 3600)
    assert keep(own, Source.MINTED, lead=3600, wall=WALL, now=50, dice=0).renew == 1050


def test_w5_a_failure_is_the_answer_for_a_while_that_grows() -> None:
    setbacks = Setbacks()
    assert setbacks.answer(0.0) is None
    failed = Resolution(None, why="away")
    ends = []
    for n in range(20):
        assert setbacks.note(failed, 0.0, 0.5) == n + 1
        end = next(second for second in range(1, 100) if setbacks.answer(second) is None)
        assert setbacks.answer(end - 1) is failed
        ends.append(end)
    assert ends[:5] == [5, 10, 20, 40, 60]
    assert ends[-1] == 60
    setbacks.clear()
    assert (setbacks.count, setbacks.answer(0.0)) == (0, None)
    setbacks.note(Resolution(None, after=20.0), 0.0, 0.5)
    assert setbacks.answer(19.0) is not None
    assert setbacks.answer(20.0) is None


def test_the_pauses_between_renewals_grow_to_a_limit() -> None:
    setbacks, found = Setbacks(), []
    for _ in range(6):
        found.append(setbacks.pause(0.5))
        setbacks.note(Resolution(None), 0.0, 0.5)
    assert found == [60, 60, 120, 240, 480, 600]
    assert setbacks.pause(0.0) < setbacks.pause(0.9)


def test_rejections_are_few_and_do_not_last() -> None:
    book = Rejections()
    book.add(Secret("bad"), 0.0)
    assert book.holds(Secret("bad"), REMEMBERED - 1)
    assert not book.holds(Secret("bad"), REMEMBERED)
    assert not book.holds(Secret("good"), 0.0)
    book.forgive(Secret("bad"))
    assert not book.holds(Secret("bad"), 1.0)
    for n in range(REJECTIONS + 1):
        book.add(Secret(str(n)), 0.0)
    assert not book.holds(Secret("0"), 1.0)
    assert book.holds(Secret(str(REJECTIONS)), 1.0)


def test_the_shelf_gives_what_is_good_and_each_writes_its_own_place() -> None:
    shelf = Shelf()
    one = kept(100)
    shelf.writer("a")(one)
    assert shelf.get("a", 60.0) is one
    assert one.used == 60.0
    assert shelf.get("a", one.until) is None
    assert shelf.peek("a") is one
    assert shelf.get("b", 60.0) is None
    shelf.writer("b")(None)
    shelf.writer("a")(None)
    assert shelf.peek("a") is None
