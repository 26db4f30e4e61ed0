"""Accounts, sessions, apps and API keys as rows: what is whose, what has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from booper.domain import credential
from booper.domain.caller import Anonymous, AppKey, Operator, Role, Scope, SessionCaller
from booper.domain.secret import Secret
from booper.store import accounts, api_keys, apps, sessions

if TYPE_CHECKING:
    from booper.domain.credential import Credential
    from booper.ports import Database, Tx
    from booper.store.accounts import Account

NOW = 1_800_000_000.0


def fresh(number: int, kind: str = credential.REFRESH) -> Credential:
    return credential.minted(kind, bytes([number]) * credential.ENTROPY)


async def account(tx: Tx, own: str = "a1") -> Account:
    made = await accounts.create(
        tx, own, f"{own}@a.example", "Ann", Role.MEMBER, Secret("hash"), NOW
    )
    assert made is not None
    return made


async def test_an_address_is_taken_once(database: Database) -> None:
    one = await database.write(account)
    assert (one.id, one.role, one.password) == ("a1", Role.MEMBER, Secret("hash"))
    again = await database.write(
        accounts.create, "a2", one.email, "", Role.OPERATOR, Secret("other"), NOW
    )
    assert again is None
    assert await database.read(accounts.find_by_email, one.email) == one
    assert await database.read(accounts.find_by_email, "b@a.example") is None


async def test_an_account_changes(database: Database) -> None:
    one = await database.write(account)
    await database.write(accounts.set_password, one.number, Secret("new"))
    await database.write(accounts.change, one.number, "Bea", Role.OPERATOR)
    found = await database.read(accounts.find, one.id)
    assert found == one._replace(password=Secret("new"), name="Bea", role=Role.OPERATOR)
    assert await database.read(accounts.page, "", 10) == [found]
    assert await database.read(accounts.page, one.id, 10) == []


async def session(tx: Tx, owner: Account, own: str = "s1", refresh: int = 1) -> None:
    number = await sessions.open_session(tx, own, owner.number, "curl", NOW, NOW + 100)
    await sessions.issue(tx, number, fresh(refresh), NOW)


async def test_a_session_lives_until_it_expires_or_ends(database: Database) -> None:
    one = await database.write(account)
    await database.write(session, one)
    who = SessionCaller(one.number, one.id, Role.MEMBER, "s1")
    assert await database.read(sessions.alive, "s1", NOW + 99) == who
    assert await database.read(sessions.alive, "s1", NOW + 100) is None
    assert await database.read(sessions.alive, "s2", NOW) is None
    assert not await database.write(sessions.end, one.number + 1, "s1", "logout", NOW)
    assert await database.write(sessions.end, one.number, "s1", "logout", NOW)
    assert not await database.write(sessions.end, one.number, "s1", "logout", NOW)
    assert await database.read(sessions.alive, "s1", NOW) is None
    assert await database.write(sessions.refresh, fresh(1), NOW, NOW + 200) is None


async def test_a_refresh_is_good_once_and_its_second_use_ends_the_session(
    database: Database,
) -> None:
    one = await database.write(account)
    await database.write(session, one)
    used = await database.write(sessions.refresh, fresh(1), NOW + 50, NOW + 150)
    assert used is not None
    assert (used.stolen, used.caller) == (
        False,
        SessionCaller(one.number, one.id, Role.MEMBER, "s1"),
    )
    await database.write(sessions.issue, used.session, fresh(2), NOW + 50)
    assert await database.read(sessions.alive, "s1", NOW + 149) is not None
    again = await database.write(sessions.refresh, fresh(1), NOW + 60, NOW + 160)
    assert again is not None
    assert again.stolen
    assert await database.read(sessions.alive, "s1", NOW + 60) is None
    assert await database.write(sessions.refresh, fresh(2), NOW + 60, NOW + 160) is None


async def test_a_made_up_refresh_ends_nothing(database: Database) -> None:
    one = await database.write(account)
    await database.write(session, one)
    real = fresh(1)
    forged = credential.Credential(real.kind, real.name, Secret("a" * 32))
    assert await database.write(sessions.refresh, forged, NOW, NOW + 100) is None
    assert await database.write(sessions.refresh, fresh(9), NOW, NOW + 100) is None
    assert await database.read(sessions.alive, "s1", NOW) is not None


async def test_the_other_sessions_end_together(database: Database) -> None:
    one = await database.write(account)
    for number in (1, 2, 3):
        await database.write(session, one, f"s{number}", number)
    listed = await database.read(sessions.page, one.number, "", NOW, 2)
    assert [found.id for found in listed] == ["s1", "s2"]
    ended = await database.write(sessions.end_others, one.number, "s2", "password", NOW)
    assert sorted(ended) == ["s1", "s3"]
    listed = await database.read(sessions.page, one.number, "", NOW, 9)
    assert [(found.id, found.client) for found in listed] == [("s2", "curl")]
    assert await database.write(sessions.sweep, NOW + 100, 2) == 0
    assert await database.write(sessions.sweep, NOW + 101, 2) == 2
    assert await database.write(sessions.sweep, NOW + 101, 2) == 1


async def test_an_app_is_its_owner_s_alone(database: Database) -> None:
    one, two = [await database.write(account, own) for own in ("a1", "a2")]
    app = await database.write(apps.create, "p1", one.number, "App", "free", NOW)
    owner, stranger = [SessionCaller(who.number, who.id, Role.OPERATOR, "s") for who in (one, two)]
    key = AppKey(app.number, "p1", "free", "k", frozenset())
    assert await database.read(apps.reachable, owner, "p1") == app
    assert await database.read(apps.reachable, key, "p1") == app
    for other in (stranger, Anonymous(), Operator(), AppKey(9, "p9", "free", "k", frozenset())):
        assert await database.read(apps.reachable, other, "p1") is None
    changed = await database.write(apps.change, app, "New", "pro", 2.0)
    assert changed == app._replace(name="New", plan="pro", version=2)
    assert await database.write(apps.change, app, "Late", "pro", 2.0) is None
    assert await database.read(apps.page, one.number, "", 10) == [changed]
    assert await database.read(apps.page, two.number, "", 10) == []
    assert await database.read(apps.page, None, "", 10) == [changed]
    await database.write(apps.delete, app.number, NOW)
    assert await database.read(apps.reachable, owner, "p1") is None
    assert await database.read(apps.find, "p1") is None
    assert await database.write(apps.change, app, "x", "free", 2.0) is None
    assert await database.write(apps.count_locked, one.number) == 0


async def test_a_key_is_good_until_it_or_its_app_goes(database: Database) -> None:
    one = await database.write(account)
    app = await database.write(apps.create, "p1", one.number, "App", "free", NOW)
    first, second = fresh(1, "bpk"), fresh(2, "bpk")
    scopes = {Scope.READ, Scope.NOTIFY}
    await database.write(api_keys.create, "k1", app.number, first, "CI", scopes, NOW)
    await database.write(api_keys.create, "k2", app.number, second, "", [], NOW)
    known = await database.read(api_keys.know, first)
    assert known == AppKey(app.number, "p1", "free", "k1", frozenset(scopes))
    assert await database.read(api_keys.know, fresh(3, "bpk")) is None
    wrong = credential.Credential("bpk", first.name, second.secret)
    assert await database.read(api_keys.know, wrong) is None
    assert await database.write(api_keys.revoke, app.number + 1, "k1", NOW) is None
    assert await database.write(api_keys.revoke, app.number, "k1", NOW) == first.name
    assert await database.write(api_keys.revoke, app.number, "k1", NOW) is None
    assert await database.read(api_keys.know, first) is None
    assert await database.read(api_keys.live, app.number) == 1
    listed = await database.read(api_keys.page, app.number, "", 10)
    assert [(key.id, key.label, key.revoked_at) for key in listed] == [
        ("k1", "CI", NOW),
        ("k2", "", None),
    ]
    await database.write(apps.delete, app.number, NOW)
    assert await database.read(api_keys.know, second) is None
    assert await database.write(api_keys.revoke_all, app.number, NOW) == [second.name]


async def test_parallel_uses_of_one_refresh_end_the_session(database: Database) -> None:
    one = await database.write(account)
    await database.write(session, one)
    found = []

    async def use() -> None:
        found.append(await database.write(sessions.refresh, fresh(1), NOW, NOW + 100))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(use)
    assert sum(used is not None and not used.stolen for used in found) == 1
    assert await database.read(sessions.alive, "s1", NOW) is None


async def test_parallel_makers_of_keys_and_apps_keep_to_the_limit(database: Database) -> None:
    one = await database.write(account)
    app = await database.write(apps.create, "p1", one.number, "App", "free", NOW)

    async def key(tx: Tx, number: int) -> None:
        await apps.lock(tx, app.number)
        if await api_keys.live(tx, app.number) < 2:
            await api_keys.create(tx, f"k{number}", app.number, fresh(number), "", [], NOW)

    async def another(tx: Tx, number: int) -> None:
        if await apps.count_locked(tx, one.number) < 3:
            await apps.create(tx, f"a{number}", one.number, "App", "free", NOW)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(database.write, key, number)
            nursery.start_soon(database.write, another, number)
    assert await database.read(api_keys.live, app.number) == 2
    assert len(await database.read(apps.page, one.number, "", 50)) == 3
