"""What operators may do about people, apps and signing keys, and that nobody else may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.booper.api.door import HandClock, door, problem
from tests.booper.api.test_apps import ID, Person, person

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNTS = "/api/admin/accounts"
NEW = {"email": "boss@a.example", "password": "correct horse battery", "role": "operator"}


async def test_an_operator_makes_an_operator(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key="hush") as house:
        admin = Person(house, "hush")
        made = await admin.ask("POST", ACCOUNTS, NEW)
        assert (made.status_code, made.json()["role"]) == (201, "operator")
        problem(await admin.ask("POST", ACCOUNTS, NEW), 409, "account_exists", "/email")
        answer = await house.post("/api/sessions", {k: NEW[k] for k in ("email", "password")})
        boss = Person(house, answer.json()["access_token"])
        listed = (await boss.ask("GET", ACCOUNTS)).json()["data"]
        assert [one["email"] for one in listed] == ["boss@a.example"]
        assert "password" not in str(listed)
        ann = await person(house)
        problem(await ann.ask("GET", ACCOUNTS), 403, "operators_only")
        problem(await ann.ask("POST", ACCOUNTS, NEW), 403, "operators_only")


async def test_a_role_counts_within_a_second(tmp_path: Path) -> None:
    clock = HandClock()
    async with door(tmp_path, admin_key="hush", clock=clock) as house:
        admin, ann = Person(house, "hush"), await person(house)
        path = f"{ACCOUNTS}/{(await ann.ask('GET', '/api/accounts/me')).json()['id']}"
        for role, status in (("operator", 200), ("member", 403)):
            assert (await admin.ask("PATCH", path, {"role": role})).json()["role"] == role
            clock.now += 0.5
            assert (await ann.ask("GET", ACCOUNTS)).status_code == status
        problem(await admin.ask("PATCH", path, {"role": "root"}), 422, "invalid", "/role")
        problem(await admin.ask("PATCH", f"{ACCOUNTS}/{ID}", {}), 404, "not_found")


async def test_a_lost_password_is_set_anew_and_every_session_ends(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key="hush") as house:
        admin, ann = Person(house, "hush"), await person(house)
        own = (await ann.ask("GET", "/api/accounts/me")).json()["id"]
        path, body = f"{ACCOUNTS}/{own}/password", {"password": "a new horse battery"}
        assert (await admin.ask("PUT", path, body)).status_code == 204
        problem(await ann.ask("GET", "/api/accounts/me"), 401, "invalid_credential")
        answer = await house.post("/api/sessions", {"email": "ann@a.example", **body})
        assert answer.status_code == 201
        problem(await admin.ask("PUT", f"{ACCOUNTS}/{ID}/password", body), 404, "not_found")


async def test_plans_are_the_operator_s_to_give(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key="hush") as house:
        admin, ann = Person(house, "hush"), await person(house)
        app = await ann.app()
        path = f"/api/admin/apps/{app}"
        assert (await admin.ask("PATCH", path, {"plan": "pro"})).json()["plan"] == "pro"
        assert (await ann.ask("GET", f"/api/apps/{app}")).json()["plan"] == "pro"
        problem(await admin.ask("PATCH", path, {"plan": "gold"}), 422, "unknown_plan", "/plan")
        answer = await admin.ask("PATCH", f"/api/admin/apps/{ID}", {"plan": "pro"})
        problem(answer, 404, "not_found")
        listed = (await admin.ask("GET", "/api/admin/apps")).json()["data"]
        assert [one["id"] for one in listed] == [app]


async def test_signing_keys_rotate(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key="hush") as house:
        admin, ann = Person(house, "hush"), await person(house)
        path = "/api/admin/signing_keys"
        (first,) = (await admin.ask("GET", path)).json()["keys"]
        both = (await admin.ask("POST", path)).json()["keys"]
        assert (len(both), both[0]) == (2, first)
        assert (await ann.ask("GET", "/api/accounts/me")).status_code == 200
        problem(await admin.ask("DELETE", f"{path}/{both[1]}"), 404, "not_found")
        assert (await admin.ask("DELETE", f"{path}/{first}")).status_code == 204
        problem(await ann.ask("GET", "/api/accounts/me"), 401, "invalid_credential")
