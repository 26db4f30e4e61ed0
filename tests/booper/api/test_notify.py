"""Saying something: to whom, by whom, in how many ways, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from booper.store import fanouts
from tests.booper.api.door import Door, HandClock, door, problem
from tests.booper.api.tenant import tenant, tenanted
from tests.booper.store.seeds import NOW, ROUTES, rows

if TYPE_CHECKING:
    from pathlib import Path

ID = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
NOW_TEXT = "2027-01-15T08:00:00Z"  # the hand clock's 1,800,000,000
LATER = "2027-01-15T09:00:00Z"


async def reached(house: Door) -> dict[str, list[str]]:
    """Notification → the devices (ids) in its batches, after a fan-out of two devices a page."""
    while await house.database.write(fanouts.expand, ROUTES, 0, NOW, 2) is not None:
        pass
    names: dict[int, str] = dict(await rows(house.database, "SELECT number, id FROM devices"))
    sql = "SELECT n.id, b.devices FROM batches b JOIN notifications n ON n.number = b.notification"
    found: dict[str, list[str]] = {}
    for own, run in await rows(house.database, f"{sql} ORDER BY b.number"):
        found.setdefault(own, []).extend(names[number] for number in msgspec.json.decode(run))
    return found


async def listens(house: Door, device: str, channel: str) -> None:
    body = {"channel": channel, "device_id": device}
    assert (await house.post("/api/subscriptions", body)).status_code == 201


async def test_each_audience_of_an_app_reaches_its_devices_once(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        one = await app.member(1, user_id="ann", identifier="ann@a.example")
        two = await app.member(2, user_id="ann")
        three = await app.member(3, identifier="ann@a.example")
        stranger = await app.house.device("cd" * 32)
        await app.channel("news", one, two, stranger)
        await app.channel("ops", two, three)
        audiences: list[tuple[dict[str, Any], list[str]]] = [
            ({"channel": "News"}, [one, two, stranger]),
            ({"channel": f"{app.app}-ops"[:64].lower()}, []),
            ({"channels": ["news", "ops", "NEWS"]}, [one, two, three, stranger]),
            ({"user_id": "ann"}, [one, two]),
            ({"user_id": "Ann"}, []),
            ({"identifier": "ann@a.example"}, [one, three]),
            ({"devices": [three, one, three]}, [one, three]),
            ({"everyone": True}, [one, two, three]),
        ]
        wanted = {}
        for audience, devices in audiences:
            answer = await app.notify(**audience)
            if audience.get("channel", "").endswith("-ops"):
                problem(answer, 404, "unknown_channel", "/channel")
                continue
            assert answer.status_code == 202, answer.text
            wanted[answer.json()["id"]] = devices
            shown = (await app.key.ask("GET", answer.json()["url"])).json()
            assert set(shown["audience"]) == set(audience)
            assert shown["app_id"] == app.app
        found = await reached(app.house)
        assert {own: found.get(own, []) for own in wanted} == wanted


async def test_a_public_notification_to_several_channels_comes_once(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        one, two = await house.device("ab" * 32), await house.device("cd" * 32)
        for device, channel in ((one, "a"), (one, "b"), (two, "b"), (two, "c")):
            await listens(house, device, channel)
        body = {"channels": ["a", "b"], "title": "t"}
        own = (await house.post("/api/notify", body)).json()["id"]
        assert await reached(house) == {own: [one, two]}
        for channel, ids in (("a", [own]), ("b", [own]), ("c", [])):
            listed = await house.client.get(f"/api/notifications?channel={channel}")
            assert [found["id"] for found in listed.json()["data"]] == ids


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({}, 422, "which_audience", None),
        ({"everyone": False}, 422, "which_audience", None),
        ({"channel": "a", "everyone": True}, 422, "which_audience", "/everyone"),
        ({"channels": []}, 422, "invalid", "/channels"),
        ({"channels": ["a"] * 21}, 422, "invalid", "/channels"),
        ({"channels": ["a", "b c"]}, 422, "invalid_channel_name", "/channels/1"),
        ({"channels": ["news", "none"]}, 404, "unknown_channel", "/channels/1"),
        ({"user_id": ""}, 422, "invalid", "/user_id"),
        ({"devices": ["x"]}, 404, "unknown_device", "/devices/0"),
        ({"devices": [ID]}, 404, "unknown_device", "/devices/0"),
        ({"everyone": True, "app_id": ID}, 404, "not_found", None),
        ({"everyone": True, "scheduled_at": "2027-01-15T09:00:00"}, 422, "invalid", None),
        ({"everyone": True, "scheduled_at": 5}, 422, "invalid", "/scheduled_at"),
        (
            {"everyone": True, "scheduled_at": "2027-02-15T09:00:00Z"},
            422,
            "scheduled_too_far",
            "/scheduled_at",
        ),
    ],
)
async def test_an_audience_that_is_not_there_is_refused(
    tmp_path: Path, body: dict[str, Any], status: int, code: str, pointer: str | None
) -> None:
    async with tenanted(tmp_path, clock=HandClock()) as app:
        await app.channel("news")
        problem(await app.notify(**body), status, code, pointer)
        assert await rows(app.house.database, "SELECT id FROM notifications") == []


async def test_an_app_is_spoken_for_by_its_key_and_its_owner_alone(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        stranger = await tenant(app.house, "bea")
        body = {"everyone": True, "title": "t", "app_id": app.app}
        assert (await app.owner.ask("POST", "/api/notify", body)).status_code == 202
        assert (await app.key.ask("POST", "/api/notify", body)).status_code == 202
        for who in (stranger.owner, stranger.key):
            problem(await who.ask("POST", "/api/notify", body), 404, "not_found")
        problem(await app.house.post("/api/notify", body), 404, "not_found")
        body = {"user_id": "ann", "title": "t"}
        problem(await app.house.post("/api/notify", body), 422, "audience_needs_app")
        answer = await app.owner.ask("POST", "/api/notify", body)
        problem(answer, 422, "audience_needs_app")


async def test_an_app_s_channel_is_not_the_public_one_of_that_name(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        device = await app.house.device()
        await listens(app.house, device, "news")
        problem(await app.notify(channel="news"), 404, "unknown_channel")
        await app.channel("news")
        own = (await app.notify(channel="news")).json()["id"]
        assert await reached(app.house) == {}
        listed = await app.house.client.get("/api/notifications?channel=news")
        assert listed.json()["data"] == []
        listed = await app.key.ask("GET", "/api/notifications?channel=news")
        assert [found["id"] for found in listed.json()["data"]] == [own]
        public = await app.house.post("/api/notify", {"channel": "news", "title": "t"})
        assert await reached(app.house) == {public.json()["id"]: [device]}


async def test_a_list_is_newest_first_in_pages(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        own = [(await app.notify(everyone=True)).json()["id"] for _ in range(5)]
        seen, path = [], "/api/notifications?limit=2"
        for _ in range(3):
            page = (await app.key.ask("GET", path)).json()
            seen += [found["id"] for found in page["data"]]
            path = f"/api/notifications?limit=2&cursor={page['next_cursor']}"
        assert seen == own[::-1]
        assert page["next_cursor"] is None
        by_owner = await app.owner.ask("GET", f"/api/notifications?app_id={app.app}")
        assert [found["id"] for found in by_owner.json()["data"]] == own[::-1]
        problem(await app.owner.ask("GET", "/api/notifications"), 400, "which_notifications")
        answer = await app.house.client.get("/api/notifications?channel=none")
        problem(answer, 404, "unknown_channel")


async def test_one_that_is_scheduled_waits_for_its_time(tmp_path: Path) -> None:
    clock = HandClock()
    async with tenanted(tmp_path, clock=clock) as app:
        device = await app.member(1)
        answer = await app.notify(everyone=True, scheduled_at=LATER, ttl=60)
        assert answer.json()["state"] == "scheduled"
        shown = (await app.key.ask("GET", answer.json()["url"])).json()
        assert shown["state"] == "scheduled"
        assert shown["scheduled_at"] == "2027-01-15T09:00:00.000Z"
        assert shown["expires_at"] == "2027-01-15T09:01:00.000Z"
        database = app.house.database
        assert await database.read(fanouts.first_due) == clock.now + 3600
        assert await database.write(fanouts.queue_due, clock.now + 3599) == 0
        assert await reached(app.house) == {}
        assert await database.write(fanouts.queue_due, clock.now + 3600) == 1
        assert await database.write(fanouts.queue_due, clock.now + 3600) == 0
        assert await reached(app.house) == {answer.json()["id"]: [device]}
        past = await app.notify(everyone=True, scheduled_at=NOW_TEXT)
        assert past.json()["state"] == "queued"


@pytest.mark.parametrize("scheduled_at", [None, LATER])
async def test_one_that_is_cancelled_is_never_sent(
    tmp_path: Path, scheduled_at: str | None
) -> None:
    clock = HandClock()
    async with tenanted(tmp_path, clock=clock) as app:
        await app.member(1)
        url = (await app.notify(everyone=True, scheduled_at=scheduled_at)).json()["url"]
        for _ in range(2):
            answer = await app.key.ask("POST", f"{url}/cancel")
            assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
        assert answer.json()["finished_at"] is not None
        await app.house.database.write(fanouts.queue_due, clock.now + 9999)
        assert await reached(app.house) == {}
        left = "SELECT (SELECT count(*) FROM schedules), (SELECT count(*) FROM fanouts)"
        assert await rows(app.house.database, left) == [(0, 0)]


async def test_one_that_is_being_sent_is_not_cancelled(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        for number in range(3):
            await app.member(number)
        url = (await app.notify(everyone=True)).json()["url"]
        await app.house.database.write(fanouts.expand, ROUTES, 0, NOW, 2)  # the first page
        assert (await app.key.ask("GET", url)).json()["state"] == "sending"
        problem(await app.key.ask("POST", f"{url}/cancel"), 409, "already_sending")
        await reached(app.house)
        problem(await app.key.ask("POST", f"{url}/cancel"), 409, "already_sending")
