"""What operators see of parked batches, and what they may say about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from booper.store import fanouts, poison
from tests.booper.api.door import door, problem
from tests.booper.api.test_apps import Person
from tests.booper.store import seeds

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.booper.api.door import Door

PATH = "/api/admin/batches/parked"


async def ask(house: Door, method: str, path: str = "", body: Any = None) -> httpx.Response:
    """As an operator."""
    return await Person(house, "hush").ask(method, PATH + path, body)


async def parked(house: Door, count: int) -> list[str]:
    """So many notifications of one parked batch each; their ids."""
    own = []
    await house.database.write(seeds.listeners, [seeds.registration(1)])
    for _ in range(count):
        said = await house.post("/api/notify", {"channel": "news", "title": "x"})
        own.append(said.json()["id"])
    while await house.database.write(fanouts.expand, seeds.ROUTES, 0, seeds.NOW):
        pass
    await house.database.write(seeds.run_sql, "UPDATE batches SET deaths = 3, death = 'boom'")
    await house.database.write(poison.park, seeds.NOW, 100)
    return own


async def test_the_list_comes_in_pages_and_by_notification(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key="hush") as house:
        own = await parked(house, 3)
        page = (await ask(house, "GET", "?limit=2")).json()
        rest = await ask(house, "GET", f"?limit=2&cursor={page['next_cursor']}")
        found = page["data"] + rest.json()["data"]
        assert [one["notification_id"] for one in found] == own
        assert found[0] == found[0] | {
            "app_id": None,
            "instance": "main",
            "devices": 1,
            "deaths": 3,
            "death": "boom",
        }
        of = await ask(house, "GET", f"?notification_id={own[1]}")
        assert of.json()["data"] == [found[1]]


async def test_each_is_decided_once(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key="hush") as house:
        own = await parked(house, 3)
        numbers = [one["batch"] for one in (await ask(house, "GET")).json()["data"]]
        for body, done in (
            ({"batches": numbers[:1]}, 1),
            ({"batches": numbers[:1]}, 0),
            ({"notification_id": own[1]}, 1),
            ({"notification_id": own[1]}, 0),
        ):
            answer = await ask(house, "POST", "/fail", body)
            assert (answer.status_code, answer.json()) == (200, {"batches": done})
        answer = await ask(house, "POST", "/release", {"batches": numbers})
        assert answer.json() == {"batches": 1}
        states = [(await house.client.get(f"/api/notifications/{one}")).json() for one in own]
        assert [(one["state"], one["pending"]) for one in states] == [
            ("failed", 0),
            ("failed", 0),
            ("sending", 1),
        ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/batches"),
        ({"batches": [1], "notification_id": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"}, "/batches"),
        ({"batches": []}, "/batches"),
        ({"batches": [0]}, "/batches/0"),
        ({"batches": [2**70]}, "/batches/0"),
        ({"batches": ["1"]}, "/batches/0"),
        ({"notification_id": "x"}, "/notification_id"),
        ({"notification_id": None}, "/notification_id"),
    ],
)
async def test_what_cannot_be_decided(tmp_path: Path, body: Any, pointer: str) -> None:
    async with door(tmp_path, admin_key="hush") as house:
        answer = await ask(house, "POST", "/release", body)
        if answer.status_code == 400:
            assert answer.json()["code"] == "bad_number"
        else:
            problem(answer, 422, "invalid", pointer)


async def test_it_is_for_operators(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key="hush") as house:
        problem(await house.client.get(PATH), 401, "unauthenticated")
        problem(await house.post(f"{PATH}/fail", {"batches": [1]}), 401, "unauthenticated")
