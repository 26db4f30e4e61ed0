"""What an app can send through: asked by its owner or its key, told for every provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.providers import PROVIDERS
from tests.booper.api.door import door
from tests.booper.api.estate import estate

if TYPE_CHECKING:
    from pathlib import Path


async def test_an_app_without_an_instance_sends_through_the_operator_s(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        mine = await estate(house, "ann")
        owner, server = mine.callers["session"], mine.callers["key"]
        own = f"/api/apps/{mine.ids['app_id']}/instances/{mine.ids['name']}"
        assert (await owner.ask("DELETE", own)).status_code == 204
        for caller in (owner, server):
            answer = await caller.ask("GET", f"/api/apps/{mine.ids['app_id']}/providers")
            assert answer.status_code == 200, answer.text
            ways = {way.pop("provider"): way for way in answer.json()["providers"]}
            assert set(ways) == set(PROVIDERS)
            assert ways["apns"] == {
                "configured": True,
                "via": "operator",
                "instance": None,
                "state": "enabled",
                "rotation": None,
            }
            assert not ways["fcm"]["configured"]
