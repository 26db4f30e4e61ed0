"""What was said to a device: by its address or its secret, never more than it may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.booper.api.door import TOKEN, HandClock, door, problem
from tests.booper.api.tenant import tenant, tenanted
from tests.booper.api.test_apps import Person
from tests.booper.api.test_channels import ID, MANY, held, let_in, of_app
from tests.booper.api.test_notify import reached

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

BY_TOKEN = f"/api/notifications?device_token={TOKEN}"
LATER = "2027-01-15T09:00:00Z"


def titles(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["content"]["title"] for one in answer.json()["data"]]


async def test_a_device_reads_what_was_said_where_it_may_listen(tmp_path: Path) -> None:
    async with tenanted(tmp_path, settings=MANY, clock=HandClock()) as app:
        house, bea = app.house, await tenant(app.house, "bea")
        phone = await house.registered()
        await app.key.ask("POST", "/api/devices", {"provider": "apns", "device_token": TOKEN})
        rooms = {name: await of_app(app, name) for name in ("granted", "listened", "closed")}
        await let_in(house, phone.id, rooms["granted"])
        body = {"channel": "listened", "device_id": phone.id}
        assert (await app.key.ask("POST", "/api/subscriptions", body)).status_code == 201
        for public in ("open", "other"):
            await held(house, public)
        await phone.ask("POST", "/api/channels/open/subscribe", {})
        for name in ("open", "other"):
            await house.post("/api/notify", {"channel": name, "title": name})
        for name in rooms:
            own = (await app.notify(channel=name, title=name)).json()["id"]
        await app.notify(channels=["closed", "granted"], title="both")
        await app.notify(channel="granted", title="later", scheduled_at=LATER)
        await app.notify(everyone=True, title="all")
        in_app = f"&app_id={app.app}"
        proved = ["both", "listened", "granted", "open"]
        for path, wanted in (
            ("/api/notifications", proved),
            (BY_TOKEN, proved),
            (f"/api/notifications?app_id={app.app}", proved[:-1]),
            (f"/api/notifications?channel=listened{in_app}", ["listened"]),
            (f"/api/notifications?channel={rooms['listened']}", ["listened"]),
            ("/api/notifications?channel=other", ["other"]),
            (f"/api/notifications?app_id={ID}", []),
        ):
            assert titles(await phone.ask("GET", path)) == wanted, path
        get = house.client.get
        for more, wanted in (
            ("", ["both", "granted", "open"]),
            ("&app_id=", ["both", "granted", "open"]),
            (in_app, ["both", "granted"]),
            (f"&channel=granted{in_app}", ["both", "granted"]),
            ("&channel=open", ["open"]),
            ("&provider=fcm", []),
        ):
            assert titles(await get(BY_TOKEN + more)) == wanted, more
        for ref in ("closed", "listened"):
            problem(await get(f"{BY_TOKEN}&channel={rooms[ref]}"), 404, "unknown_channel")
            problem(await get(f"{BY_TOKEN}&channel={ref}{in_app}"), 404, "unknown_channel")
        problem(await phone.ask("GET", f"/api/notifications?channel={rooms['closed']}"), 404,
                "unknown_channel")  # fmt: skip
        assert titles(await get(f"/api/notifications?device_token={'cd' * 32}")) == []
        problem(await get("/api/notifications"), 400, "which_notifications")
        assert titles(await app.key.ask("GET", BY_TOKEN)) == proved[:-1]
        assert titles(await bea.key.ask("GET", BY_TOKEN)) == []
        assert titles(await bea.key.ask("GET", BY_TOKEN + in_app)) == []
        # What it is told says nothing of the others; and one by one it is the same.
        shown = (await phone.ask("GET", "/api/notifications")).json()["data"]
        for one in shown:
            assert (one["audience"], one["devices"], one["counts"]) == (None, None, None)
            again = await phone.ask("GET", f"/api/notifications/{one['id']}")
            assert again.json() == one
        problem(await phone.ask("GET", f"/api/notifications/{own}"), 404, "not_found")
        problem(await get(f"/api/notifications/{shown[0]['id']}"), 404, "not_found")
        path, pages = "/api/notifications?limit=3", []
        while path:
            answer = await phone.ask("GET", path)
            pages.append(titles(answer))
            path = answer.links["next"]["url"] if "next" in answer.links else ""
        assert pages == [proved[:3], proved[3:]]


async def test_who_may_not_speak_calls_nothing_off(tmp_path: Path) -> None:
    async with door(tmp_path, settings=MANY, clock=HandClock()) as house:
        made, holder = await held(house, publish_key=True)
        other, _ = await held(house, "other", publish_key=True)
        await held(house, "open")
        body = {"channel": "ops", "title": "t", "scheduled_at": LATER}
        said = await holder.ask("POST", "/api/notify", body)
        path = f"{said.json()['url']}/cancel"
        problem(await house.client.post(path), 401, "publish_key_required")
        stranger = Person(house, other["key"])
        problem(await stranger.ask("POST", path), 403, "wrong_publish_key")
        answer = await Person(house, made["key"]).ask("POST", path)
        assert answer.json()["state"] == "cancelled"
        open_one = await house.post("/api/notify", {**body, "channel": "open"})
        answer = await house.client.post(f"{open_one.json()['url']}/cancel")
        assert answer.json()["state"] == "cancelled"


async def test_a_device_sees_the_apps_that_it_is_in(tmp_path: Path) -> None:
    async with tenanted(tmp_path, settings=MANY) as app:
        house, phone = app.house, await app.house.registered()
        others = {name: await tenant(house, name) for name in ("bea", "cid", "dan")}
        bea, cid = others["bea"], others["cid"]
        await let_in(house, phone.id, await of_app(app))
        await bea.key.ask("POST", "/api/devices", {"provider": "apns", "device_token": TOKEN})
        apps = {app.app: 200, bea.app: 200, cid.app: 404, ID: 404}
        listed = (await phone.ask("GET", "/api/apps")).json()["data"]
        assert [one["id"] for one in listed] == sorted((app.app, bea.app))
        assert {one["plan"] for one in listed} == {None}
        for own, status in apps.items():
            assert (await phone.ask("GET", f"/api/apps/{own}")).status_code == status
        by_token = f"?device_token={TOKEN}"
        listed = (await house.client.get(f"/api/apps{by_token}")).json()["data"]
        assert [one["id"] for one in listed] == [app.app], "its address shows what a code opened"
        assert (await house.client.get(f"/api/apps/{app.app}{by_token}")).json() == listed[0]
        for own in (bea.app, cid.app, ID):
            problem(await house.client.get(f"/api/apps/{own}{by_token}"), 404, "not_found")
        nobody = await house.client.get(f"/api/apps?device_token={'cd' * 32}")
        assert nobody.json()["data"] == []
        problem(await house.client.get(f"/api/apps/{app.app}"), 401, "unauthenticated")
        problem(await house.client.get("/api/apps"), 401, "unauthenticated")
        _, holder = await held(house)
        problem(await holder.ask("GET", "/api/apps"), 403, "wrong_caller")
        assert (await app.owner.ask("DELETE", f"/api/apps/{app.app}")).status_code == 204
        listed = (await house.client.get(f"/api/apps{by_token}")).json()["data"]
        assert listed == []


async def test_from_an_access_code_to_a_push(tmp_path: Path) -> None:
    async with tenanted(tmp_path, settings=MANY) as app:
        house, room = app.house, await of_app(app)
        phone = await house.device()
        named = {"device_token": TOKEN}
        get = house.client.get
        assert (await get(f"/api/channels?device_token={TOKEN}")).json()["data"] == []
        made = await app.key.ask("POST", "/api/access_codes", {"channels": ["news"]})
        code = made.json()["access_code"]
        opened = await house.post(f"/api/access_codes/{code}", named)
        assert [one["id"] for one in opened.json()["channels"]] == [room]
        in_app = f"/api/channels?device_token={TOKEN}&app_id={app.app}"
        assert [one["name"] for one in (await get(in_app)).json()["data"]] == ["news"]
        heard = await house.post(f"/api/channels/{room}/subscribe", named)
        assert heard.status_code == 201
        said = (await app.notify(channel="news")).json()["id"]
        assert await reached(house) == {said: [phone]}
        feed = await get(f"{BY_TOKEN}&app_id={app.app}")
        assert [one["id"] for one in feed.json()["data"]] == [said]
