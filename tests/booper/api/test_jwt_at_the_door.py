"""The JWT attack table at the door: of a living session, and a key that the house believes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from booper.api import access_jwt
from booper.store.server_keys import ACCESS_CODE, CURSOR, SESSION, _place
from tests.booper.api.door import HandClock, door, problem
from tests.booper.api.test_access_jwt import ATTACKS, CLAIMS, KEY, attacks, made
from tests.booper.api.test_apps import person
from tests.booper.store.seeds import run_sql

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.booper.api.door import Door

BLANKS = {"a space", "a line feed"}  # in front it is nothing, and a header has no line feeds


async def planted(house: Door) -> None:
    """The house believes the key that the attacks are made with."""
    sealed = house.keys._seal.seal(_place(KEY.id), KEY.secret)
    sql = "INSERT INTO server_keys (id, purpose, sealed, created_at) VALUES (?1, ?2, ?3, 1)"
    await house.database.write(run_sql, sql, KEY.id, SESSION, sealed)


async def asks(house: Door, text: str) -> httpx.Response:
    """Who am I, by that bearer."""
    value = f"Bearer {text}".encode("latin-1", "replace")
    headers: Any = [(b"Authorization", value)]
    return await house.client.get("/api/accounts/me", headers=headers)


async def living(house: Door) -> dict[str, Any]:
    """The claims of a session that lives."""
    ann = await person(house)
    (session,) = (await ann.ask("GET", "/api/sessions")).json()["data"]
    own = (await ann.ask("GET", "/api/accounts/me")).json()["id"]
    return {**CLAIMS, "sub": own, "sid": session["id"]}


async def test_every_attack_is_refused_and_what_it_is_made_of_is_good(tmp_path: Path) -> None:
    async with door(tmp_path, clock=HandClock()) as house:
        claims = await living(house)
        await planted(house)
        assert (await asks(house, made(claims))).status_code == 200
        table = attacks(claims)
        assert set(table) == set(ATTACKS)
        for name in set(table) - BLANKS:
            problem(await asks(house, table[name]), 401, "invalid_credential")
        assert (await asks(house, made(claims))).status_code == 200


async def test_somebody_else_s_session_and_a_key_for_something_else_open_nothing(
    tmp_path: Path,
) -> None:
    async with door(tmp_path, clock=HandClock()) as house:
        claims = await living(house)
        await planted(house)
        bea = await person(house, "bea")
        other = (await bea.ask("GET", "/api/accounts/me")).json()["id"]
        problem(await asks(house, made({**claims, "sub": other})), 401, "invalid_credential")
        for purpose in (CURSOR, ACCESS_CODE):
            key = await house.keys.newest(purpose)
            text = access_jwt.sign(key, claims["sub"], claims["sid"], "j", HandClock.now, 900)
            problem(await asks(house, text), 401, "invalid_credential")
