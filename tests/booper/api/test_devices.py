"""Devices: whose they are, what they prove it by, and what a stranger with their token gets."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from booper.store import devices
from tests.booper.api.door import TOKEN, Door, Phone, door, problem
from tests.booper.api.test_apps import Person, person
from tests.booper.store.seeds import rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

OTHER = "cd" * 32
NEW = {"provider": "apns", "device_token": TOKEN}
ALIASES = ("/api/devices", "/api/identities", "/api/identify")


@asynccontextmanager
async def with_app(folder: Path) -> AsyncIterator[tuple[Door, Person, Person, str]]:
    """A house, a person, her app's server, and the app's id."""
    async with door(folder) as house:
        ann = await person(house)
        app = await ann.app()
        yield house, ann, Person(house, (await ann.key(app))["key"]), app


async def gone(house: Door, own: str) -> None:
    number = await house.database.read(devices.find, own)
    await house.database.write(devices.mark_gone, [(number, "Unregistered")], 1.0)


@pytest.mark.parametrize("path", ALIASES)
async def test_a_device_is_told_its_secret_once(tmp_path: Path, path: str) -> None:
    async with door(tmp_path) as house:
        first = (await house.post(path, NEW)).json()
        assert first["secret"].startswith("bds_")
        stranger = (await house.post(path, NEW)).json()
        assert stranger == {"id": first["id"], "secret": None}
        proved = await Phone(house, **first).ask("POST", path, NEW)
        assert proved.json() == first
        stored = await rows(house.database, "SELECT * FROM devices")
        assert first["secret"].split("_")[2] not in repr(stored)


async def test_a_stranger_with_the_token_changes_nothing(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        own = await house.registered(platform="ios", locale="de", app_version="1")
        before = await rows(house.database, "SELECT * FROM devices")
        await house.device(platform="android", locale="fr")
        assert await rows(house.database, "SELECT * FROM devices") == before
        shown = (await own.ask("GET", f"/api/devices/{own.id}")).json()
        assert (shown["platform"], shown["locale"], shown["app_version"]) == ("ios", "de", "1")
        assert TOKEN not in repr(shown)


async def test_a_device_changes_itself_and_sees_when_it_is_late(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        own = await house.registered()
        path = f"/api/devices/{own.id}"
        got = await own.ask("GET", path)
        changed = await own.ask("PATCH", path, {"locale": "fr"}, If_Match=got.headers["etag"])
        assert changed.json()["locale"] == "fr"
        late = await own.ask("PATCH", path, {"locale": "es"}, If_Match=got.headers["etag"])
        problem(late, 412, "stale")
        problem(await own.ask("PATCH", path, {"user_id": "me"}), 403, "needs_app_key")
        problem(await own.ask("PATCH", path, {"device_token": OTHER}), 422, "invalid")


async def test_a_device_moves_to_a_new_token_and_stays_who_it_is(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        own = await house.registered(platform="ios")
        await house.post("/api/subscriptions", {"channel": "news", "device_id": own.id})
        moved = await own.ask("POST", "/api/devices", {**NEW, "device_token": OTHER})
        assert moved.json() == {"id": own.id, "secret": own.secret}
        ((sealed, platform),) = await rows(house.database, "SELECT sealed, platform FROM devices")
        assert await house.tokens.open([sealed]) == [OTHER]
        assert platform == "ios"
        # The old token is nobody's now: whoever comes with it is somebody else.
        assert await house.device(TOKEN) != own.id
        back = await own.ask("POST", "/api/devices", NEW)
        problem(back, 409, "device_token_taken")


async def test_a_token_that_had_gone_comes_back_to_its_owner_alone(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        own = await house.registered()
        await house.post("/api/subscriptions", {"channel": "news", "device_id": own.id})
        await gone(house, own.id)
        assert (await own.ask("POST", "/api/devices", NEW)).json()["id"] == own.id
        assert await rows(house.database, "SELECT gone_at FROM devices") == [(None,)]
        await gone(house, own.id)
        stranger = await house.registered()
        assert stranger.id != own.id
        assert stranger.secret
        assert await rows(house.database, "SELECT * FROM subscriptions") == []
        problem(await own.ask("GET", f"/api/devices/{own.id}"), 401, "invalid_credential")


async def test_a_device_from_before_there_were_secrets_gets_one(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        mark = await house.tokens.keep(TOKEN)
        old = devices.Registration("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "apns", "", *mark)
        await house.database.write(devices.register, [old], 1.0)
        first = await house.registered()
        assert (first.id, bool(first.secret)) == (old.id, True)
        assert (await house.registered()).secret is None


async def test_a_device_deletes_itself_and_nothing_of_it_stays(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        own = await house.registered(locale="de")
        await house.post("/api/subscriptions", {"channel": "news", "device_id": own.id})
        assert (await own.ask("DELETE", f"/api/devices/{own.id}")).status_code == 204
        problem(await own.ask("GET", f"/api/devices/{own.id}"), 401, "invalid_credential")
        by_id = {"channel": "news", "device_id": own.id}
        problem(await house.post("/api/subscriptions", by_id), 404, "unknown_device")
        assert await rows(house.database, "SELECT * FROM subscriptions") == []
        kept = await rows(house.database, "SELECT sealed, locale, secret_hash FROM devices")
        assert kept == [(b"", "", None)]
        assert await house.device() != own.id


@pytest.mark.parametrize(
    "header",
    ["Device", "Device {id}", "Device {id}.", "Device x.{secret}", "Device {id}.{secret}x",
     "Device {secret}", "Basic {id}.{secret}", "Bearer {id}.{secret}"],
)  # fmt: skip
async def test_a_secret_that_is_not_whole_is_refused(tmp_path: Path, header: str) -> None:
    async with door(tmp_path) as house:
        own = await house.registered()
        text = header.format(id=own.id, secret=own.secret)
        answer = await house.client.get(f"/api/devices/{own.id}", headers={"Authorization": text})
        problem(answer, 401, "invalid_credential")


async def test_the_secret_alone_is_a_bearer_s_and_never_stands_in_a_url(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        own = await house.registered()
        headers = {"Authorization": f"Bearer {own.secret}"}
        path = f"/api/devices/{own.id}"
        assert (await house.client.get(path, headers=headers)).status_code == 200
        answer = await house.client.get(f"{path}?secret={own.secret}")
        problem(answer, 401, "credential_in_query")
        problem(await house.client.get(path), 401, "unauthenticated")


async def test_another_device_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        own, other = await house.registered(), await house.registered(OTHER)
        for method, body in (("GET", None), ("PATCH", {"locale": "x"}), ("DELETE", None)):
            answer = await own.ask(method, f"/api/devices/{other.id}", body)
            problem(answer, 404, "not_found")


async def test_an_app_lists_names_and_lets_go_of_its_devices(tmp_path: Path) -> None:
    async with with_app(tmp_path) as (house, ann, server, app):
        own = await house.registered(OTHER)
        for n in range(3):
            new = {"provider": "apns", "device_token": f"{n:064x}", "user_id": f"u{n % 2}"}
            assert (await server.ask("POST", "/api/devices", new)).json()["secret"]
        page = (await server.ask("GET", "/api/devices?limit=2")).json()
        assert [one["user_id"] for one in page["data"]] == ["u0", "u1"]
        rest = await server.ask("GET", f"/api/devices?limit=2&cursor={page['next_cursor']}")
        assert [one["user_id"] for one in rest.json()["data"]] == ["u0"]
        of_one = (await ann.ask("GET", f"/api/devices?app_id={app}&user_id=u0")).json()["data"]
        assert [one["user_id"] for one in of_one] == ["u0", "u0"]
        assert own.id not in repr((page, rest.text))
        problem(await ann.ask("GET", "/api/devices"), 422, "missing_app_id", "/app_id")
        path = f"/api/devices/{of_one[0]['id']}"
        named = await server.ask("PATCH", path, {"user_id": None, "identifier": "a@b"})
        assert (named.json()["user_id"], named.json()["identifier"]) == (None, "a@b")
        assert (await server.ask("DELETE", path)).status_code == 204
        problem(await server.ask("GET", path), 404, "not_found")
        kept = await rows(house.database, "SELECT count(*) FROM devices WHERE gone_at IS NULL")
        assert kept == [(4,)], "out of the app, and still a device"


async def test_an_app_takes_a_device_in_and_learns_nothing_of_it(tmp_path: Path) -> None:
    async with with_app(tmp_path) as (house, _, server, app):
        own = await house.registered()
        taken = await server.ask("POST", "/api/devices", {**NEW, "user_id": "u"})
        assert taken.json() == {"id": own.id, "secret": None}
        again = await server.ask("POST", "/api/devices", {**NEW, "app_id": app.upper()})
        assert again.json()["id"] == own.id
        shown = (await server.ask("GET", f"/api/devices/{own.id}")).json()
        assert shown["user_id"] == "u"
        # The device may say again what the app says of it, and nothing else.
        same = {**NEW, "app_id": app, "user_id": "u"}
        assert (await own.ask("POST", "/api/devices", same)).status_code == 201
        boss = {**NEW, "app_id": app, "user_id": "boss"}
        problem(await own.ask("POST", "/api/devices", boss), 403, "needs_app_key")
        problem(await house.post("/api/devices", same), 403, "needs_app_key")
        problem(await house.post("/api/devices", {**NEW, "user_id": "u"}), 403, "needs_app_key")


async def test_a_key_needs_its_scope_and_its_own_app(tmp_path: Path) -> None:
    async with with_app(tmp_path) as (house, ann, server, _):
        other = await ann.app("Other")
        reader = Person(house, (await ann.key(other, scopes=["read"]))["key"])
        problem(await reader.ask("POST", "/api/devices", NEW), 403, "missing_scope")
        wrong = await server.ask("POST", "/api/devices", {**NEW, "app_id": other})
        problem(wrong, 404, "not_found")
        assert await rows(house.database, "SELECT * FROM devices") == [], "all or nothing"
