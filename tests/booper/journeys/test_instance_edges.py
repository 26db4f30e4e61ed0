"""What a stranger tried on running instances, and what must not happen then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from tests.booper.journeys.house import journey
from tests.booper.journeys.test_instances import HERE, is_problem, made, new_key, post, settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.booper.journeys.house import Journey

pytestmark = pytest.mark.real


async def default(house: Journey) -> str | None:
    answer = await house.client.get("/api/admin/providers")
    shown = {one["provider"]: one["instance"] for one in answer.json()["providers"]}
    name: str | None = shown["apns"]
    return name


async def test_another_default_takes_over_at_once(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path, "old", default=True)
        await made(house, tmp_path, "fresh")
        assert await default(house) == "old"
        await post(house, "/fresh/prefer?wait=applied")
        with trio.fail_after(10):  # well before the keeper reads all rows anyway
            while await default(house) != "fresh":
                await trio.sleep(0.01)
        lines = (await house.client.get(f"{HERE}/old/audit")).json()["audit"]
        assert [line["verb"] for line in lines] == ["unprefer", "create"]


async def test_the_provider_is_no_setting(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        table = settings(house, tmp_path, new_key(house, 1))
        body = {"name": "main", "provider": "apns", "settings": {**table, "provider": "fcm"}}
        is_problem(await house.client.post(HERE, json=body), 422, "invalid_settings")
        await made(house, tmp_path)
        patch = {"settings": {"provider": "fcm"}}
        is_problem(await house.client.patch(f"{HERE}/main", json=patch), 422, "invalid_settings")
