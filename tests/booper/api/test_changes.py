"""Changes: how often, and what becomes of many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from booper.settings import Public, Settings
from tests.booper.api.door import TOKEN, HandClock, door, problem
from tests.booper.api.test_channels import MANY
from tests.booper.store.seeds import rows

if TYPE_CHECKING:
    from pathlib import Path


async def test_looks_and_changes_are_limited_by_the_address(tmp_path: Path) -> None:
    clock = HandClock()
    async with door(tmp_path, clock=clock) as house:
        path = f"/api/channels?device_token={TOKEN}"
        found = [(await house.client.get(path)).status_code for _ in range(12)]
        assert found == [200] * 10 + [429] * 2
        answer = await house.post("/api/channels", {"name": "x"})
        problem(answer, 429, "too_many_requests")
        assert answer.headers["retry-after"] == "1"
        clock.now += 1
        assert (await house.post("/api/channels", {"name": "x"})).status_code == 201


async def test_a_channel_has_one_limit_whatever_it_is_called(tmp_path: Path) -> None:
    settings = Settings(public=Public(per_address=1000))
    async with door(tmp_path, clock=HandClock(), settings=settings) as house:
        made = (await house.post("/api/channels", {"name": "ops"})).json()["id"]
        found = []
        for number in range(12):
            body = {"channel": (made, made.upper(), "ops")[number % 3], "title": "t"}
            found.append((await house.post("/api/notify", body)).status_code)
        assert found == [202] * 10 + [429] * 2
        items = [{"channel": made, "title": "t"}, {"channels": ["ops", made], "title": "t"}]
        told = (await house.post("/api/notifications/batch", items)).json()
        assert [one["status"] for one in told] == [429, 429]


async def test_of_many_at_once_one_makes_it_and_all_listen_once(tmp_path: Path) -> None:
    async with door(tmp_path, settings=MANY) as house:
        own = await house.device()
        made: list[int] = []
        heard: set[str] = set()

        async def make() -> None:
            answer = await house.post("/api/channels", {"name": "ops"})
            made.append(answer.status_code)

        async def listen() -> None:
            answer = await house.post("/api/channels/new/subscribe", {"device_id": own})
            heard.add(answer.json()["id"])

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(make)
                nursery.start_soon(listen)
        assert sorted(made) == [201] + [409] * 19
        assert len(heard) == 1
        assert await rows(house.database, "SELECT count(*) FROM channels") == [(2,)]
