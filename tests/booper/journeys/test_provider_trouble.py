"""What a provider may answer, or not answer, and what becomes of the notification."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import trio

from booper.simulators.apns import generate_key
from booper.simulators.faults import GoAway, Hangup, Reset
from tests.booper.journeys.house import device_token, journey
from tests.booper.journeys.test_crash import Fragile

if TYPE_CHECKING:
    from pathlib import Path

    from booper.providers.provider import AccessToken

pytestmark = pytest.mark.real


async def test_a_device_that_went_is_dropped_and_the_others_are_not(tmp_path: Path) -> None:
    async with journey(tmp_path) as house:
        await house.register(4)
        house.apple.account.unregister(device_token(1), int((time.time() + 60) * 1000))
        counts = (await house.done(await house.notify()))["counts"]
        assert counts == {
            "accepted": 3,
            "failed": 0,
            "gone": 1,
            "expired": 0,
            "not_configured": 0,
            "delivered": 0,
            "receipt_unknown": 0,
        }
        again = await house.done(await house.notify())
        assert again["devices"] == 3, "no more is sent to it"


async def test_a_device_registered_after_it_went_is_kept(tmp_path: Path) -> None:
    async with journey(tmp_path) as house:
        await house.register(2)
        house.apple.account.unregister(device_token(1), int((time.time() - 3600) * 1000))
        counts = (await house.done(await house.notify()))["counts"]
        assert (counts["accepted"], counts["failed"], counts["gone"]) == (1, 1, 0)
        house.apple.account.forget(device_token(1))
        assert (await house.done(await house.notify()))["counts"]["accepted"] == 2


async def test_connections_that_break_cost_no_notification(tmp_path: Path) -> None:
    async with journey(tmp_path) as house:
        await house.register(30)
        faults = house.apple.faults
        faults.script(Hangup(), device=device_token(3), times=2)
        faults.script(Reset(code=2), device=device_token(7), times=2)
        faults.script(GoAway(after=5), times=1)
        shown = await house.done(await house.notify())
        assert shown["counts"]["accepted"] == 30
        assert shown["retried"] >= 2
        summary = house.apple.ledger.summary()
        assert summary.distinct == 30
        assert summary.duplicates <= shown["maybe_doubled"]


async def test_an_answer_lost_on_the_way_is_counted_as_a_possible_double(tmp_path: Path) -> None:
    async with journey(tmp_path) as house:
        await house.register(3)
        house.apple.faults.script(Reset(accepted=True), device=device_token(0), times=1)
        shown = await house.done(await house.notify())
        assert shown["counts"]["accepted"] == 3
        assert shown["maybe_doubled"] == 1
        assert house.apple.ledger.doubled() == {
            (device_token(0), f"{shown['id'][:24]}{1:012x}"): 2,
        }, "the second try carries the same apns-id"


async def test_a_payload_error_fails_the_message_and_keeps_the_device(tmp_path: Path) -> None:
    async with journey(tmp_path) as house:
        await house.register(2)
        shown = await house.done(await house.notify(body="x" * 4096))
        assert shown["counts"]["failed"] == 2
        assert (await house.done(await house.notify()))["counts"]["accepted"] == 2


async def test_the_provider_token_is_minted_once(tmp_path: Path) -> None:
    minted: list[AccessToken] = []

    class Counting(Fragile):
        def mint(self, now: float) -> AccessToken:
            minted.append(super().mint(now))
            return minted[-1]

    async with journey(tmp_path, wrap=lambda _, codec: Counting(codec)) as house:
        await house.register(5)
        for _ in range(3):
            assert (await house.done(await house.notify()))["counts"]["accepted"] == 5
    (token,) = minted
    assert 1200 <= token.renew_at - token.minted_at <= 3600, "Apple: 20 to 60 minutes"


async def test_an_expired_provider_token_is_renewed_once_and_nothing_fails(tmp_path: Path) -> None:
    class Late(Fragile):
        """Its first token is two hours old: the clock was wrong, or the machine slept."""

        behind = 7200.0

        def mint(self, now: float) -> AccessToken:
            self.behind, behind = 0.0, self.behind
            return super().mint(now - behind)

    async with journey(tmp_path, wrap=lambda _, codec: Late(codec)) as house:
        await house.register(3)
        shown = await house.done(await house.notify())
        assert shown["counts"]["accepted"] == 3
        assert shown["retried"] == 0
        assert house.apple.ledger.refused["ExpiredProviderToken"] >= 1


async def test_a_refused_key_is_a_state_and_loses_nothing(tmp_path: Path) -> None:
    async with journey(tmp_path) as house:
        await house.register(3)
        apple = house.apple
        good = apple.account.key("KEY1234567")
        assert good is not None
        apple.account.add_key(generate_key().team_key)  # the same id, another key: revoked
        own = await house.notify()
        with trio.fail_after(10):
            while (standing := await house.standing()) is None or standing["state"] != "refused":
                await trio.sleep(0.05)
        assert standing["last_error"] == "InvalidProviderToken"
        shown = await house.progress(own)
        assert (shown["state"], shown["pending"]) == ("sending", 3)
        tree = await house.tree()
        assert tree["worker:instance/apns"]["restarts"] == 0, "a bad credential is no crash"
        assert sum(apple.ledger.refused.values()) <= 3, "it is not hammered"
