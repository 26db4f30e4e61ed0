"""Accounts and sessions at the door: in, staying in, and out for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt
import pytest
import trio

from booper.api import access_jwt
from booper.settings import Accounts, Settings
from booper.store.server_keys import SESSION
from tests.booper.api.door import Door, HandClock, door, problem

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

ANN = {"email": "ann@a.example", "password": "correct horse battery"}
ME = "/api/accounts/me"


async def sign_up(house: Door, **more: str) -> dict[str, Any]:
    """A new account, logged in."""
    answer = await house.post("/api/accounts", {**ANN, **more})
    assert answer.status_code == 201, answer.text
    opened: dict[str, Any] = answer.json()
    return opened


def bearer(opened: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {opened['access_token']}"}


async def who(house: Door, opened: dict[str, Any]) -> httpx.Response:
    return await house.client.get(ME, headers=bearer(opened))


async def test_up_in_and_out(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        first = await sign_up(house, name="Ann", email="Ann@A.example")
        shown = (await who(house, first)).json()
        assert shown == shown | {"email": "ann@a.example", "name": "Ann", "role": "member"}
        answer = await house.post("/api/sessions", {**ANN, "email": "ANN@a.example"})
        assert answer.status_code == 201
        second = answer.json()
        assert second["expires_in"] == 900
        answer = await house.client.patch(ME, json={"name": "Bea"}, headers=bearer(second))
        assert answer.json()["name"] == "Bea"
        out = await house.client.delete("/api/sessions/current", headers=bearer(first))
        assert (out.status_code, out.content) == (204, b"")
        problem(await who(house, first), 401, "invalid_credential")
        assert (await who(house, second)).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "code", "pointer"),
    [
        ({"email": "ann"}, 422, "invalid", "/email"),
        ({"email": "a b@c.example"}, 422, "invalid", "/email"),
        ({"email": "a@b@c"}, 422, "invalid", "/email"),
        ({"email": "x" * 300 + "@a.example"}, 422, "invalid", "/email"),
        ({"password": "short"}, 422, "invalid", "/password"),
        ({"password": "x" * 257}, 422, "invalid", "/password"),
        ({"role": "operator"}, 422, "invalid", "/role"),
        ({"email": "ann@A.example"}, 409, "account_exists", "/email"),
    ],
)
async def test_a_sign_up_that_cannot_be(
    tmp_path: Path, change: dict[str, str], status: int, code: str, pointer: str
) -> None:
    async with door(tmp_path) as house:
        await sign_up(house)
        problem(await house.post("/api/accounts", {**ANN, **change}), status, code, pointer)


async def test_sign_up_can_be_closed(tmp_path: Path) -> None:
    closed = Settings(accounts=Accounts(sign_up=False))
    async with door(tmp_path, settings=closed) as house:
        problem(await house.post("/api/accounts", ANN), 403, "sign_up_closed")
        problem(await house.post("/api/sessions", ANN), 401, "wrong_login")


async def test_a_wrong_address_and_a_wrong_password_look_alike(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        await sign_up(house)
        shown = []
        for change in ({"email": "bea@a.example"}, {"password": "wrong horse battery"}):
            answer = await house.post("/api/sessions", {**ANN, **change})
            problem(answer, 401, "wrong_login")
            body = answer.json()
            del body["request_id"]
            shown.append((body, sorted(answer.headers)))
        assert shown[0] == shown[1]


async def test_a_refresh_goes_on_and_its_copy_ends_the_session(tmp_path: Path) -> None:
    clock = HandClock()
    async with door(tmp_path, clock=clock) as house:
        first = await sign_up(house)
        clock.now += 950
        problem(await who(house, first), 401, "invalid_credential")
        answer = await house.post(
            "/api/sessions/refresh", {"refresh_token": first["refresh_token"]}
        )
        assert answer.status_code == 200
        second = answer.json()
        assert second["session_id"] == first["session_id"]
        assert (await who(house, second)).status_code == 200
        for _ in range(2):
            answer = await house.post(
                "/api/sessions/refresh", {"refresh_token": first["refresh_token"]}
            )
            assert answer.status_code == 401
        problem(await who(house, second), 401, "invalid_credential")
        answer = await house.post(
            "/api/sessions/refresh", {"refresh_token": second["refresh_token"]}
        )
        problem(answer, 401, "invalid_refresh")


async def test_parallel_uses_of_one_refresh_leave_nobody_in(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        first = await sign_up(house)
        answers: list[httpx.Response] = []

        async def use() -> None:
            body = {"refresh_token": first["refresh_token"]}
            answers.append(await house.post("/api/sessions/refresh", body))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(use)
        assert sum(answer.status_code == 200 for answer in answers) <= 1
        for answer in answers:
            if answer.status_code == 200:
                problem(await who(house, answer.json()), 401, "invalid_credential")


@pytest.mark.parametrize("text", ["", "x", "bpr_" + "a" * 16 + "_" + "a" * 38])
async def test_what_is_no_refresh(tmp_path: Path, text: str) -> None:
    async with door(tmp_path) as house:
        opened = await sign_up(house)
        answer = await house.post("/api/sessions/refresh", {"refresh_token": text})
        problem(answer, 401, "invalid_refresh")
        body = {"refresh_token": opened["access_token"][:190]}
        problem(await house.post("/api/sessions/refresh", body), 401, "invalid_refresh")
        as_access = {"Authorization": f"Bearer {opened['refresh_token']}"}
        problem(await house.client.get(ME, headers=as_access), 401, "invalid_credential")


async def test_a_session_ends_when_nobody_refreshes_it(tmp_path: Path) -> None:
    clock = HandClock()
    async with door(tmp_path, clock=clock) as house:
        opened = await sign_up(house)
        clock.now += Accounts().refresh_life
        body = {"refresh_token": opened["refresh_token"]}
        problem(await house.post("/api/sessions/refresh", body), 401, "invalid_refresh")


async def test_a_new_password_ends_the_other_sessions(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        first = await sign_up(house)
        other = (await house.post("/api/sessions", ANN)).json()
        assert (await who(house, other)).status_code == 200
        path, new = f"{ME}/password", "another horse battery"
        body = {"current": "wrong", "new": new}
        answer = await house.client.put(path, json=body, headers=bearer(first))
        problem(answer, 403, "wrong_password", "/current")
        body["current"] = ANN["password"]
        answer = await house.client.put(path, json=body, headers=bearer(first))
        assert answer.status_code == 204
        assert (await who(house, first)).status_code == 200
        problem(await who(house, other), 401, "invalid_credential")
        problem(await house.post("/api/sessions", ANN), 401, "wrong_login")
        answer = await house.post("/api/sessions", {**ANN, "password": new})
        assert answer.status_code == 201


async def test_a_stranger_s_session_is_not_there(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        ann = await sign_up(house)
        bea = await sign_up(house, email="bea@a.example")
        path = f"/api/sessions/{ann['session_id']}"
        problem(await house.client.delete(path, headers=bearer(bea)), 404, "not_found")
        assert (await who(house, ann)).status_code == 200
        assert (await house.client.delete(path, headers=bearer(ann))).status_code == 204
        problem(await who(house, ann), 401, "invalid_credential")


async def test_another_spelling_of_a_revoked_one_is_revoked_too(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        opened = await sign_up(house)
        await house.client.delete("/api/sessions/current", headers=bearer(opened))
        text = opened["access_token"]
        last = "AQgw"["AQgw".index(text[-1])] if text[-1] in "AQgw" else text[-1]
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        low = alphabet.index(last)
        spellings = [text, text + "=", text + "==", text[:-1] + alphabet[low ^ 1]]
        for spelling in spellings:
            again = {"access_token": spelling}
            problem(await who(house, again), 401, "invalid_credential")


async def test_a_role_comes_from_the_row_not_from_the_token(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key="hush") as house:
        opened = await sign_up(house)
        answer = await house.client.get("/api/admin/instances", headers=bearer(opened))
        problem(answer, 403, "operators_only")
        claims = jwt.decode(opened["access_token"], options={"verify_signature": False})
        assert "role" not in claims


async def test_the_signing_key_rotates_without_logging_anybody_out(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        first = await sign_up(house)
        new = await house.keys.rotate(SESSION)
        second = (await house.post("/api/sessions", ANN)).json()
        assert access_jwt.kid(second["access_token"]) == new
        old = access_jwt.kid(first["access_token"])
        assert old not in (None, new)
        for opened in (first, second):
            assert (await who(house, opened)).status_code == 200
        assert await house.keys.remove(SESSION, str(old))
        problem(await who(house, first), 401, "invalid_credential")
        assert (await who(house, second)).status_code == 200
        body = {"refresh_token": first["refresh_token"]}
        answer = await house.post("/api/sessions/refresh", body)
        assert (await who(house, answer.json())).status_code == 200


async def test_guessing_is_slow_and_harms_nobody_else(tmp_path: Path) -> None:
    clock = HandClock()
    async with door(tmp_path, clock=clock) as house:
        await sign_up(house)
        wrong = {**ANN, "password": "a wrong guess, again"}
        for _ in range(10):
            problem(await house.post("/api/sessions", wrong), 401, "wrong_login")
        for body in (wrong, ANN, {**ANN, "email": "ANN@a.example"}):
            answer = await house.post("/api/sessions", body)
            problem(answer, 429, "too_many_logins")
            assert answer.headers["retry-after"] == "30"
        other = {**ANN, "email": "bea@a.example"}
        problem(await house.post("/api/sessions", other), 401, "wrong_login")
        clock.now += 31
        assert (await house.post("/api/sessions", ANN)).status_code == 201
