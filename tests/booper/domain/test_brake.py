"""The brake: few deaths are believed, a wave is not, and a message's own mistake is no death."""

from __future__ import annotations

from typing import Any

import pytest

from booper.domain.brake import REMEMBERED, Alarm, Brake, misfit
from booper.domain.delivery import Batch, Settlement, settle
from booper.domain.errors import Misconfigured
from booper.domain.outcome import ACCEPTED, Kind, Outcome
from booper.domain.protection import DEFAULT, Protection, split
from tests.booper.domain.test_delivery import NOW, batch

LEFT = Outcome(Kind.GONE, 410, "Unregistered")
FOREIGN = Outcome(Kind.GONE, 400, "BadDeviceToken")
BUSY = Outcome(Kind.RETRY, 503, "busy")
BAD_ARGUMENT = Outcome(Kind.FAILED, 400, "INVALID_ARGUMENT", suspect=True)


def settled(given: Batch, outcomes: list[Outcome]) -> Settlement:
    return settle(given, outcomes, now=NOW, dice=0.5)


def check(brake: Brake, *outcomes: Outcome, now: float = 0.0) -> Alarm | None:
    given = batch(len(outcomes))
    return brake.check(given, outcomes, settled(given, list(outcomes)), now)


def test_a_batch_in_which_too_many_die_is_an_alarm_at_once() -> None:
    alarm = check(Brake(DEFAULT), *[LEFT] * 100, *[ACCEPTED] * 300)
    assert alarm == Alarm(dead=100, judged=400, mixed_up=False, before=())


@pytest.mark.parametrize(
    ("dead", "living"),
    [(19, 0), (20, 80), (100, 400), (0, 0), (1, 0)],
)
def test_few_deaths_or_a_small_share_are_believed(dead: int, living: int) -> None:
    assert check(Brake(DEFAULT), *[LEFT] * dead, *[ACCEPTED] * living) is None


def test_deaths_one_by_one_add_up_and_those_before_the_alarm_are_named() -> None:
    brake = Brake(DEFAULT)
    for n in range(DEFAULT.brake_minimum - 1):
        assert check(brake, LEFT, now=float(n)) is None
    alarm = check(brake, LEFT, now=30.0)
    assert alarm is not None
    assert alarm.dead == DEFAULT.brake_minimum
    assert [drop.device for drop in alarm.before] == [1] * (DEFAULT.brake_minimum - 1)
    assert {(drop.notification, drop.reason) for drop in alarm.before} == {(3, "Unregistered")}


def test_after_an_alarm_the_count_begins_anew() -> None:
    brake = Brake(DEFAULT)
    assert check(brake, *[LEFT] * 20)
    assert check(brake, *[LEFT] * 19, now=1.0) is None


def test_deaths_from_before_the_window_are_forgotten() -> None:
    brake = Brake(DEFAULT)
    assert check(brake, *[LEFT] * 19) is None
    assert check(brake, LEFT, now=DEFAULT.brake_window + 1) is None


def test_what_was_not_judged_does_not_thin_the_share() -> None:
    assert check(Brake(DEFAULT), *[LEFT] * 20, *[BUSY] * 400)
    stale = Outcome(Kind.GONE, 410, "Unregistered", since=0.0)
    assert check(Brake(DEFAULT), *[stale] * 400) is None, "registered anew: they do not die"


def test_addresses_that_are_not_of_this_instance_are_told_from_devices_that_left() -> None:
    alarm = check(Brake(DEFAULT), *[FOREIGN] * 30, *[LEFT] * 20)
    assert alarm is not None
    assert alarm.mixed_up
    assert misfit(Outcome(Kind.GONE, 403, "SENDER_ID_MISMATCH"))
    assert not misfit(Outcome(Kind.GONE, 404, "UNREGISTERED"))
    assert not misfit(Outcome(Kind.FAILED, 400, "BadTopic"))


def test_its_memory_is_bounded() -> None:
    brake = Brake(Protection(brake_share=0.5))
    for n in range(100):
        assert check(brake, *[LEFT] * 100, *[ACCEPTED] * 200, now=n / 10) is None
    assert len(brake._slots) <= 61
    assert len(brake._drops) == REMEMBERED


def test_a_doubted_address_is_a_suspect_unless_the_message_is_doubted_of_many() -> None:
    def suspects(*outcomes: Outcome) -> tuple[int, ...]:
        return settled(batch(len(outcomes)), list(outcomes)).suspects

    assert suspects(BAD_ARGUMENT) == (1,)
    assert suspects(ACCEPTED, BAD_ARGUMENT, ACCEPTED) == (2,)
    assert suspects(BAD_ARGUMENT, BAD_ARGUMENT, ACCEPTED) == (), "it is the message"
    assert suspects(*[BAD_ARGUMENT] * 2, *[ACCEPTED] * 8) == (1, 2)
    assert suspects(ACCEPTED) == ()


def test_a_pause_uses_no_try_and_lasts_as_long_as_it_says() -> None:
    held = Outcome(Kind.HELD, 0, "paused", after=17.0)
    (again,) = settle(batch(1, attempt=4), [held], now=NOW, dice=0.9).again
    assert (again.attempt, again.due_at, again.reason) == (3, NOW + 17.0, "paused")
    done = settle(batch(1, attempt=999), [held], now=NOW, dice=0.9)
    assert not done.again, "a batch that was tried too often before ends all the same"


def test_the_settings_of_protection_stand_beside_the_provider_s() -> None:
    table: dict[str, Any] = {"provider": "apns", "rate": 50, "max_in_flight": "8", "topic": "t"}
    protection, rest = split("main", table)
    assert protection == Protection(max_in_flight=8, rate=50.0)
    assert rest == {"provider": "apns", "topic": "t"}
    assert split("main", {}) == (DEFAULT, {})


@pytest.mark.parametrize(
    "table",
    [
        {"rate": -1},
        {"rate": "fast"},
        {"rate": float("nan")},
        {"rate": float("inf")},
        {"brake_share": float("nan")},
        {"max_in_flight": 1.5},
        {"max_in_flight": None},
        {"brake_share": 0},
        {"brake_share": 1.1},
        {"brake_minimum": 0},
        {"brake_window": 0},
        {"rate": [1]},
    ],
)
def test_protection_that_makes_no_sense_is_refused_by_name(table: dict[str, object]) -> None:
    with pytest.raises(Misconfigured) as caught:
        split("main", table)
    assert caught.value.code == "invalid_settings"
    assert next(iter(table)) in caught.value.detail
