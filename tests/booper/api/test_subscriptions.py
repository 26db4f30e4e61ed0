"""Subscribing, leaving, muting: who may for which device, by which of the addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from booper.settings import Public, Settings
from tests.booper.api.door import TOKEN, Door, door, problem
from tests.booper.api.tenant import tenant, tenanted
from tests.booper.api.test_channels import ID, MANY, held, let_in, names, of_app
from tests.booper.api.test_notify import reached
from tests.booper.store.seeds import rows

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

OTHER = "cd" * 32
JSON = {"Content-Type": "application/json"}


async def count(house: Door) -> int:
    ((found,),) = await rows(house.database, "SELECT count(*) FROM subscriptions")
    return int(found)


async def unsubscribe(house: Door, way: int, channel: str, **more: Any) -> httpx.Response:
    """Leaving by each of the ways that there are."""
    if way == 0:
        return await house.post(f"/api/channels/{channel}/unsubscribe", more)
    if way == 1:
        return await house.client.delete("/api/subscriptions", params={"channel": channel, **more})
    body = {"name": channel, **more}
    return await house.client.request("DELETE", "/api/subscriptions", json=body)


async def test_every_way_to_subscribe_and_to_leave_is_the_same(tmp_path: Path) -> None:
    async with door(tmp_path, settings=MANY) as house:
        own = await house.device()
        made, _ = await held(house, "ops")
        first = await house.post("/api/channels/Ops/subscribe", {"device_token": TOKEN})
        assert first.status_code == 201
        assert first.json() == {
            "id": first.json()["id"],
            "channel": "ops",
            "channel_id": made["id"],
        }
        for body in (
            {"channel": "ops", "device_id": own},
            {"name": "OPS", "device_token": TOKEN, "provider": "apns"},
            {"channel_id": made["id"], "device_token": TOKEN},
            {"channel": made["id"].upper(), "device_token": TOKEN.upper()},
        ):
            assert (await house.post("/api/subscriptions", body)).json() == first.json()
        path = f"/api/channels/{made['id']}/subscribe"
        assert (await house.post(path, {"device_id": own})).json() == first.json()
        for way in range(3):
            for ref in ("ops", made["id"]):
                for left in (1, 0):  # the second time changes nothing
                    assert await count(house) == left
                    answer = await unsubscribe(house, way, ref, device_token=TOKEN)
                    assert answer.status_code == 204, answer.text
                await house.post("/api/subscriptions", {"channel": ref, "device_id": own})


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"device_token": TOKEN}, 422, "which_channel"),
        ({"device_token": TOKEN, "channel": "a", "name": "a"}, 422, "which_channel"),
        ({"device_token": TOKEN, "channel_id": 7}, 404, "unknown_channel"),
        ({"device_token": TOKEN, "channel_id": ID}, 404, "unknown_channel"),
        ({"device_token": TOKEN, "channel": "a", "app_id": ID}, 404, "unknown_channel"),
        ({"device_token": TOKEN, "channel": "a", "app_id": "x"}, 404, "unknown_channel"),
        ({"device_token": TOKEN, "channel": "a", "provider": "fcm"}, 404, "unknown_device"),
        ({"device_token": TOKEN, "channel": "../a"}, 422, "invalid_channel_name"),
        ({"device_token": 5, "channel": "a"}, 422, "invalid"),
        ({"channel": "a"}, 422, "which_device"),
    ],
)
async def test_what_means_nothing_is_refused(
    tmp_path: Path, body: dict[str, Any], status: int, code: str
) -> None:
    async with door(tmp_path, settings=MANY) as house:
        await house.device()
        if body.get("channel_id") == 7:  # a channel may be called so
            status, code = 201, ""
        answer = await house.post("/api/subscriptions", body)
        if status == 201:
            assert answer.json()["channel"] == "7"
        else:
            problem(answer, status, code)
            assert await rows(house.database, "SELECT * FROM channels") == []
        if code != "unknown_channel" and status != 201:
            left = await house.client.request("DELETE", "/api/subscriptions", json=body)
            problem(left, status, code)


async def test_a_delete_says_it_in_one_place_and_well(tmp_path: Path) -> None:
    async with door(tmp_path, settings=MANY) as house:
        query = "/api/subscriptions?channel=a"
        both = await house.client.request("DELETE", query, json={"channel": "b"})
        problem(both, 400, "invalid_query")
        problem(await house.client.delete("/api/subscriptions"), 422, "which_channel")
        junk = await house.client.request(
            "DELETE", "/api/subscriptions", content=b"{", headers=JSON
        )
        problem(junk, 400, "bad_json")
        text = await house.client.request("DELETE", "/api/subscriptions", content=b"channel=a")
        problem(text, 415, "unsupported_media_type")


async def test_a_private_channel_takes_its_app_or_a_device_that_was_let_in(
    tmp_path: Path,
) -> None:
    async with tenanted(tmp_path, settings=MANY) as app:
        house, bea = app.house, await tenant(app.house, "bea")
        phone, room = await house.registered(), await of_app(app)
        by_token = {"channel_id": room, "device_token": TOKEN}
        by_name = {"channel": "news", "app_id": app.app, "device_token": TOKEN}
        # Neither anybody nor the device itself, nor the app for a device that is not in it.
        for body in (by_token, by_name):
            problem(await house.post("/api/subscriptions", body), 404, "unknown_channel")
            for who in (phone, bea.owner, bea.key):
                answer = await who.ask("POST", "/api/subscriptions", body)
                problem(answer, 404, "unknown_channel")
            for who in (app.key, app.owner):
                problem(await who.ask("POST", "/api/subscriptions", body), 404, "unknown_device")
        await app.key.ask("POST", "/api/devices", {"provider": "apns", "device_token": TOKEN})
        for body in (by_token, by_name):
            for who in (app.key, app.owner):
                answer = await who.ask("POST", "/api/subscriptions", body)
                assert answer.status_code == 201, answer.text
        # It listens now, but for its address alone the channel is not there.
        problem(await unsubscribe(house, 0, room, device_token=TOKEN), 404, "unknown_channel")
        left = await phone.ask("POST", f"/api/channels/{room}/unsubscribe", {})
        assert (left.status_code, await count(house)) == (204, 0)
        problem(await phone.ask("POST", f"/api/channels/{room}/subscribe", {}), 404,
                "unknown_channel")  # fmt: skip
        await let_in(house, phone.id, room)
        by_id = {"channel_id": room, "device_id": phone.id}
        problem(await house.post("/api/subscriptions", by_id), 404, "unknown_channel")
        for body in (by_token, by_name):
            assert (await house.post("/api/subscriptions", body)).status_code == 201
            for way in range(3):
                answer = await unsubscribe(house, way, room, device_token=TOKEN)
                assert answer.status_code == 204
        assert (await phone.ask("POST", f"/api/channels/{room}/subscribe", {})).status_code == 201
        said = await app.notify(channel="news")
        assert await reached(house) == {said.json()["id"]: [phone.id]}
        # Put out by the app, it may not come back.
        answer = await app.key.ask("POST", f"/api/channels/{room}/unsubscribe", {
            "device_token": TOKEN})  # fmt: skip
        assert answer.status_code == 204
        problem(await house.post("/api/subscriptions", by_token), 404, "unknown_channel")
        missing = {"channel": "new", "device_token": TOKEN}
        answer = await app.key.ask("POST", "/api/subscriptions", missing)
        problem(answer, 404, "unknown_channel")


async def test_a_device_speaks_for_itself_and_no_other(tmp_path: Path) -> None:
    async with door(tmp_path, settings=MANY) as house:
        own, other = await house.registered(), await house.registered(OTHER)
        for named in ({}, {"device_token": TOKEN}, {"device_id": own.id}):
            body = {"channel": "a", **named}
            answer = await own.ask("POST", "/api/subscriptions", body)
            assert answer.status_code == 201
        for named in ({"device_token": OTHER}, {"device_id": other.id}, {"device_id": ID}):
            body = {"channel": "a", **named}
            problem(await own.ask("POST", "/api/subscriptions", body), 404, "unknown_device")
        assert await count(house) == 1


async def test_a_device_mutes_one_and_leaves_everything(tmp_path: Path) -> None:
    async with tenanted(tmp_path, settings=MANY) as app:
        house = app.house
        phone, other = await house.registered(), await house.registered(OTHER)
        room = await of_app(app)
        await app.key.ask("POST", "/api/devices", {"provider": "apns", "device_token": TOKEN})
        body = {"channel": room, "device_id": phone.id}
        private = (await app.key.ask("POST", "/api/subscriptions", body)).json()
        public = (await phone.ask("POST", "/api/subscriptions", {"channel": "a"})).json()
        await other.ask("POST", "/api/subscriptions", {"channel": "a"})
        path = f"/api/subscriptions/{public['id']}"
        shown = (await phone.ask("GET", path)).json()
        assert shown == shown | {"channel": "a", "device_id": phone.id, "muted": False}
        for method, change in (("GET", None), ("PATCH", {"muted": True}), ("DELETE", None)):
            problem(await other.ask(method, path, change), 404, "not_found")
            problem(await app.key.ask(method, path, change), 404, "not_found")
            answer = await house.client.request(method, path, json=change)
            problem(answer, 401, "unauthenticated")
        assert (await phone.ask("PATCH", path, {"muted": True})).json()["muted"] is True
        assert (await phone.ask("PATCH", path, {})).json()["muted"] is True
        problem(await phone.ask("PATCH", path, {"muted": 1}), 422, "invalid", "/muted")
        said = await house.post("/api/notify", {"channel": "a", "title": "t"})
        assert await reached(house) == {said.json()["id"]: [other.id]}
        listed = (await phone.ask("GET", "/api/channels")).json()["data"]
        assert {one["name"]: one["muted"] for one in listed} == {"a": True, "news": False}
        assert (await phone.ask("PATCH", path, {"muted": False})).json()["muted"] is False
        # The app decides about its own channel.
        path = f"/api/subscriptions/{private['id']}"
        for who in (app.key, app.owner):
            assert (await who.ask("PATCH", path, {"muted": True})).json()["muted"] is True
        everything = {"everything": True, "device_token": TOKEN}
        answer = await app.key.ask("DELETE", "/api/subscriptions", everything)
        problem(answer, 403, "needs_device")
        by_id = {"everything": True, "device_id": phone.id}
        answer = await house.client.request("DELETE", "/api/subscriptions", json=by_id)
        problem(answer, 403, "needs_device")
        more = await phone.ask("DELETE", "/api/subscriptions", {"everything": True, "name": "a"})
        problem(more, 422, "which_channel", "/everything")
        url = f"/api/subscriptions?everything=true&device_token={TOKEN}"
        assert (await house.client.delete(url)).status_code == 204
        assert names(await phone.ask("GET", "/api/channels")) == ["news"], "the address's part"
        answer = await phone.ask("DELETE", "/api/subscriptions", {"everything": True})
        assert answer.status_code == 204
        assert names(await phone.ask("GET", "/api/channels")) == []
        assert names(await other.ask("GET", "/api/channels")) == ["a"]


async def test_an_app_sees_who_listens_and_puts_out(tmp_path: Path) -> None:
    async with tenanted(tmp_path, settings=MANY) as app:
        house, bea, room = app.house, await tenant(app.house, "bea"), await of_app(app)
        devices = [await app.member(number, user_id=f"u{number}") for number in range(3)]
        for own in devices:
            await let_in(house, own, room)
            body = {"channel": "news", "device_id": own}
            assert (await app.key.ask("POST", "/api/subscriptions", body)).status_code == 201
        ways = (
            f"/api/channels/{room}/subscribers?limit=2",
            f"/api/channels/news/subscribers?limit=2&app_id={app.app}",
            f"/api/subscriptions?channel=news&limit=2&app_id={app.app}",
            f"/api/subscriptions?channel={room}&limit=2",
        )
        for path in ways:
            for who in (app.key, app.owner):
                page = await who.ask("GET", path)
                rest = await who.ask("GET", page.links["next"]["url"])
                found = page.json()["data"] + rest.json()["data"]
                assert [one["device_id"] for one in found] == devices
                assert [one["user_id"] for one in found] == ["u0", "u1", "u2"]
            for stranger in (bea.key, bea.owner):
                problem(await stranger.ask("GET", path), 404, "unknown_channel")
            problem(await house.client.get(path), 401, "unauthenticated")
        problem(await app.key.ask("GET", "/api/subscriptions"), 422, "which_channel")
        await held(house, "open")
        answer = await app.owner.ask("GET", "/api/channels/open/subscribers")
        problem(answer, 403, "not_your_channel")
        path = f"/api/subscriptions/{found[0]['id']}"
        problem(await bea.key.ask("DELETE", path), 404, "not_found")
        assert (await app.owner.ask("DELETE", path)).status_code == 204
        problem(await app.key.ask("GET", path), 404, "not_found")
        assert await rows(house.database, "SELECT count(*) FROM grants") == [(2,)]


async def test_a_device_listens_to_so_many_channels(tmp_path: Path) -> None:
    few = Settings(public=Public(changes_per_address=1000, max_subscriptions=3))
    async with door(tmp_path, settings=few) as house:
        own = await house.registered()
        for name in ("a", "b", "c"):
            answer = await own.ask("POST", f"/api/channels/{name}/subscribe", {})
            assert answer.status_code == 201
        problem(await own.ask("POST", "/api/channels/d/subscribe", {}), 409,
                "too_many_subscriptions")  # fmt: skip
        assert (await own.ask("POST", "/api/channels/a/subscribe", {})).status_code == 201
        assert await rows(house.database, "SELECT name FROM channels WHERE name = 'd'") == []
