"""What a pool decides, without a pool."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.transport.decisions import Ages, Care, Load, lifetime, proves, surplus, wanted
from booper.wire import Endpoint, Lost, Reply

ENDPOINT = Endpoint("a", ping_interval=30, idle_timeout=300)


def load(**changes: Any) -> Load:
    quiet = {"queued": 0, "ready": 1, "opening": 0, "draining": 0, "streams": 100, "cap": 4}
    return Load(**{"proving": False, **quiet, **changes})


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"queued": 0, "ready": 0}, 0),
        ({"queued": 1, "ready": 0}, 1),
        ({"queued": 10_000, "ready": 0}, 1),
        ({"queued": 10_000, "ready": 0, "opening": 1}, 0),
        ({"queued": 1, "ready": 1}, 1),
        ({"queued": 101, "ready": 1}, 2),
        ({"queued": 10_000, "ready": 1}, 3),
        ({"queued": 10_000, "ready": 1, "opening": 2}, 1),
        ({"queued": 10_000, "ready": 4}, 0),
        ({"queued": 10_000, "ready": 1, "proving": True}, 0),
        ({"queued": 10_000, "ready": 0, "draining": 4}, 1),
        ({"queued": 10_000, "ready": 0, "draining": 5}, 0),
    ],
)
def test_connections_follow_the_queue(changes: dict[str, Any], count: int) -> None:
    assert wanted(load(**changes)) == count


@given(
    st.integers(0, 10**6), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.booleans()
)
def test_never_more_than_the_cap(
    queued: int, ready: int, opening: int, draining: int, proving: bool
) -> None:
    asked = wanted(
        load(queued=queued, ready=ready, opening=opening, draining=draining, proving=proving)
    )
    assert asked >= 0
    assert asked == 0 or ready + opening + asked <= 4


@given(st.integers(0, 2000), st.integers(1, 9), st.integers(1, 500))
def test_what_stays_carries_the_peak(peak: int, ready: int, streams: int) -> None:
    if surplus(peak, ready, streams):
        assert ready > 1
        assert peak < (ready - 1) * streams


def test_a_working_connection_needs_nothing_until_its_next_date() -> None:
    ages = Ages(heard=100, used=90, expires=1000)
    assert ages.care(ENDPOINT, 120, 0) == (Care.NOTHING, 130)
    assert ages.care(ENDPOINT, 130, 0)[0] is Care.PING


def test_a_ping_without_an_answer_is_death_ten_seconds_later() -> None:
    ages = Ages(heard=100, used=90, expires=1000, pinged=130)
    assert ages.care(ENDPOINT, 139, 0) == (Care.NOTHING, 140)
    assert ages.care(ENDPOINT, 140, 5)[0] is Care.DEAD
    ages.heard = 135
    assert ages.care(ENDPOINT, 140, 5) == (Care.NOTHING, 165)


def test_idle_is_without_requests_and_old_is_old() -> None:
    ages = Ages(heard=500, used=100, expires=1000)
    assert ages.care(ENDPOINT, 500, 0)[0] is Care.IDLE
    assert ages.care(ENDPOINT, 500, 1)[0] is Care.NOTHING
    ages.heard = 999
    assert ages.care(ENDPOINT, 1000, 1)[0] is Care.OLD


class Loaded:
    def __init__(self, number: float) -> None:
        self.number = number

    def random(self) -> float:
        return self.number


@pytest.mark.parametrize(("dice", "life"), [(0.0, 90), (0.5, 100), (0.999, 109.98)])
def test_a_life_is_a_tenth_shorter_or_longer(dice: float, life: float) -> None:
    assert lifetime(100, Loaded(dice)) == pytest.approx(life)


@pytest.mark.parametrize(
    ("status", "proof"),
    [(200, True), (410, True), (400, True), (403, False), (401, False), (503, False)],
)
def test_what_proves_who_we_are(status: int, proof: bool) -> None:
    assert proves(Reply(status, (), b"")) is proof
    assert not proves(Lost(True, "reset"))
    assert not proves(None)
