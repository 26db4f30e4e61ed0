"""In by HTTP, written down, fanned out, over TLS and HTTP/2 to Apple, accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.booper.journeys.house import device_token, journey

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real


async def test_a_notification_reaches_every_subscriber_once(tmp_path: Path) -> None:
    async with journey(tmp_path) as house:
        await house.register(20)
        own = await house.notify(title="Hello", body="World")
        shown = await house.done(own)
        assert shown["devices"] == 20
        assert shown["counts"]["accepted"] == 20
        assert shown["pending"] == 0
        entries = list(house.apple.ledger)
        assert {entry.device for entry in entries} == {device_token(n) for n in range(20)}
        assert len(entries) == 20
