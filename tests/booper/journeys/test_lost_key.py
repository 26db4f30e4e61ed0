"""A key of the ring is missing: what it sealed waits for it, and nobody crashes meanwhile."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
import trio

from tests.booper.journeys.house import Journey, journey

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
OLD = {"old": base64.b64encode(bytes(32)).decode()}
NEW = {"new": base64.b64encode(bytes(range(32))).decode()}


async def held_back(house: Journey) -> None:
    """The dispatcher has met what it cannot open, and goes on."""
    with trio.fail_after(30):
        while (await house.standing() or {}).get("state") is None:
            await trio.sleep(0.05)
    own = await house.notify()
    before = (await house.tree())["worker:dispatcher"]["restarts"]
    with trio.fail_after(30):
        while (await house.progress(own))["devices"] == 0:
            await trio.sleep(0.05)
    with trio.fail_after(30):  # some ticks; whoever crashed would be young again
        while ((tree := await house.tree())["worker:dispatcher"]["age"] or 0.0) < 1.0:
            await trio.sleep(0.05)
    assert (before, tree["worker:dispatcher"]["restarts"]) == (0, 0)
    assert tree["supervisor:delivery"]["restarts"] == 0
    shown = await house.progress(own)
    assert (shown["pending"], shown["finished_at"]) == (3, None)


async def test_device_tokens_whose_key_is_missing_wait_for_it(tmp_path: Path) -> None:
    async with journey(tmp_path, keys=OLD) as house:
        await house.register(3)
        await house.done(await house.notify())
    async with journey(tmp_path, keys=NEW) as house:
        await held_back(house)
        assert len(house.apple.ledger) == 0
    async with journey(tmp_path, keys=NEW | OLD) as house:
        listed = (await house.client.get("/api/notifications?channel=news")).json()["data"]
        for one in listed:
            assert (await house.done(one["id"]))["counts"]["accepted"] == 3
        assert house.apple.ledger.summary().duplicates == 0
        assert len(house.apple.ledger) == 3
