"""Submitting codes: whom they let in, and to what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from booper.store.server_keys import ACCESS_CODE
from tests.booper.api.door import Door, HandClock, Phone, problem
from tests.booper.api.tenant import tenanted
from tests.booper.api.test_access_codes import issued, listed
from tests.booper.store.seeds import rows, run_sql

if TYPE_CHECKING:
    from pathlib import Path

    import httpx


async def submit(phone: Phone, code: str, *, at: str = "", **body: Any) -> httpx.Response:
    """By the device's own secret."""
    headers = {"x_forwarded_for": at} if at else {}
    return await phone.ask("POST", f"/api/access_codes/{quote(code, safe='')}", body, **headers)


async def phones(house: Door, count: int, first: int = 1) -> list[Phone]:
    return [await house.registered(f"{first + number:064x}") for number in range(count)]


def wrong(answer: httpx.Response) -> None:
    problem(answer, 404, "unknown_code")


async def test_a_code_lets_a_device_in_once(tmp_path: Path) -> None:
    async with tenanted(tmp_path, clock=HandClock()) as app:
        one, two = await phones(app.house, 2)
        made = await issued(app, "news", "ops", identifier="ann@a.example")
        answer = await submit(one, made["access_code"])
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        assert (shown["app_id"], shown["device_id"]) == (app.app, one.id)
        assert [(room["id"], room["name"]) for room in shown["channels"]] == [
            (f"{app.app}-news", "news"),
            (f"{app.app}-ops", "ops"),
        ]
        for again in (one, two):
            wrong(await submit(again, made["access_code"]))
        (kept,) = await listed(app)
        assert (kept["state"], kept["device_id"]) == ("used", one.id)
        device = (await app.key.ask("GET", f"/api/devices/{one.id}")).json()
        assert device["identifier"] == "ann@a.example"
        problem(await app.key.ask("GET", f"/api/devices/{two.id}"), 404, "not_found")
        # The next code adds to what the device has, and leaves the name it goes by.
        more = await submit(one, (await issued(app, "more"))["access_code"], app_id=app.app)
        assert [room["name"] for room in more.json()["channels"]] == ["more", "news", "ops"]
        device = (await app.key.ask("GET", f"/api/devices/{one.id}")).json()
        assert device["identifier"] == "ann@a.example"


async def test_whoever_was_let_in_listens_and_is_spoken_to(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        one, two = await phones(app.house, 2)
        code = (await issued(app, "news", identifier="ann"))["access_code"]
        body = {"channel": "news", "app_id": app.app}
        problem(await one.ask("POST", "/api/subscriptions", body), 404, "unknown_channel")
        assert (await submit(one, code)).status_code == 200
        heard = await one.ask("POST", "/api/subscriptions", body)
        assert heard.status_code == 201, heard.text
        problem(await two.ask("POST", "/api/subscriptions", body), 404, "unknown_channel")
        found = (await one.ask("GET", f"/api/channels?app_id={app.app}")).json()["data"]
        assert [room["name"] for room in found] == ["news"]
        for whom in ({"channel": "news"}, {"identifier": "ann"}):
            assert (await app.notify(**whom)).status_code == 202
        # Out of the app, and out of its channels.
        assert (await app.key.ask("DELETE", f"/api/devices/{one.id}")).status_code == 204
        problem(await one.ask("POST", "/api/subscriptions", body), 404, "unknown_channel")


async def test_a_device_token_is_enough(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        own = await app.house.device("AB" * 32)
        code = (await issued(app))["access_code"]
        path = f"/api/access_codes/{code}"
        problem(await app.house.post(path, {}), 422, "which_device")
        for body in ({"device_token": "cd" * 32}, {"device_token": "ab" * 32, "provider": "fcm"}):
            problem(await app.house.post(path, body), 404, "unknown_device")
        answer = await app.house.post(path, {"device_token": "ab" * 32, "provider": "apns"})
        assert answer.json()["device_id"] == own


async def test_a_device_token_of_several_devices_is_not_enough(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        one = await app.house.registered()
        await app.house.registered(instance="other")
        code = (await issued(app))["access_code"]
        body = {"device_token": "ab" * 32}
        answer = await app.house.post(f"/api/access_codes/{code}", body)
        problem(answer, 422, "ambiguous_device", "/device_token")
        stranger = await app.house.registered("cd" * 32)
        problem(await submit(stranger, code, **body), 404, "unknown_device")
        assert (await submit(one, code, **body)).json()["device_id"] == one.id


async def test_a_code_is_read_as_people_type_it_and_counts_as_one(tmp_path: Path) -> None:
    full = str.maketrans("0123456789", "".join(chr(0xFF10 + digit) for digit in range(10)))
    async with tenanted(tmp_path, clock=HandClock()) as app:
        (phone,) = await phones(app.house, 1)
        for spell in (str, lambda c: f" {c[:3]}-{c[3:]} ", lambda c: c.translate(full)):
            code = (await issued(app))["access_code"]
            assert (await submit(phone, spell(code))).status_code == 200
            wrong(await submit(phone, code))
        code = (await issued(app))["access_code"]
        for spelled in (f"+{code}", f"{code}.0"):
            wrong(await submit(phone, spelled))
        problem(await submit(phone, code), 429, "too_many_guesses")


async def test_a_code_stays_good_when_the_key_behind_it_is_changed(tmp_path: Path) -> None:
    async with tenanted(tmp_path, clock=HandClock()) as app:
        (phone,) = await phones(app.house, 1)
        old = (await issued(app))["access_code"]
        await app.house.keys.rotate(ACCESS_CODE)
        new = (await issued(app))["access_code"]
        for code in (old, new):
            assert (await submit(phone, code)).status_code == 200


async def test_a_channel_that_is_gone_is_not_opened(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        (phone,) = await phones(app.house, 1)
        code = (await issued(app, "news", "ops"))["access_code"]
        gone = f"DELETE FROM channels WHERE name = '{app.app}/news'"
        await app.house.database.write(run_sql, gone)
        answer = await submit(phone, code)
        assert [room["name"] for room in answer.json()["channels"]] == ["ops"]


async def test_junk_is_refused_and_a_long_path_is_no_code(tmp_path: Path) -> None:
    async with tenanted(tmp_path) as app:
        (phone,) = await phones(app.house, 1)
        junk: list[Any] = [{"app_id": 5}, {"device_token": None, "x": 1}, {"provider": []}, []]
        for body in junk:
            answer = await phone.ask("POST", "/api/access_codes/123456", body)
            assert answer.status_code == 422
        for code in ("1" * 65, "\ufffd", "%00"):
            answer = await phone.ask("POST", f"/api/access_codes/{code}", {})
            problem(answer, 404, "not_found")
        problem(await submit(phone, "123456", app_id="x"), 404, "not_found")
        assert await rows(app.house.database, "SELECT * FROM access_guesses") == []
