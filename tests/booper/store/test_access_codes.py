"""Access codes as rows: which of them opens what, once, and who ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from booper.domain.access_code import Form
from booper.store import access_codes, apps
from booper.store.access_codes import Live, NewCode, Opened
from tests.booper.store.seeds import NOW, rows
from tests.booper.store.test_grants import Rooms, rooms

if TYPE_CHECKING:
    from booper.ports import Database, Tx


async def code(
    tx: Tx, made: Rooms, own: str, form: Form = Form.SHORT, app: int = 0, life: float = 300.0
) -> int | None:
    """A code that opens everything in one of the apps; its digest is its id."""
    place = made.apps[app]
    inside = [n for name, n in made.rooms.items() if name.startswith(place.id)]
    new = NewCode(own, place.number, [*inside, 4711], f"for {own}", NOW, NOW + life)
    return await access_codes.create(tx, new, form, [f"digest {own}"])


async def opens(database: Database, own: str, app_id: str | None = None, at: float = NOW) -> str:
    """What using it says: to whom it was for, or ""."""
    digests = ["digest under an older key", f"digest {own}"]
    found = await database.write(access_codes.use, digests, 1, app_id, at)
    return found.identifier if found else ""


async def test_a_code_opens_what_is_there_of_its_app_and_once(database: Database) -> None:
    made = await database.write(rooms)
    await database.write(code, made, "a")
    found: list[Opened | None] = []

    async def use() -> None:
        found.append(await database.write(access_codes.use, ["digest a"], 1, None, NOW))

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(use)
    (opened,) = [one for one in found if one is not None]
    assert len(found) == 50
    inside = [n for name, n in made.rooms.items() if name.startswith("app-1")]
    assert sorted(opened.channels) == sorted(inside), "and not the channel that is no more"
    assert (opened.app, opened.app_id, opened.identifier) == (made.apps[0].number, "app-1", "for a")


async def test_which_code_opens_with_and_without_its_app(database: Database) -> None:
    made = await database.write(rooms)
    for own, form in (("a", Form.SHORT), ("b", Form.SHORT_IN_APP), ("c", Form.LONG)):
        await database.write(code, made, own, form)
    for own in "abc":
        assert not await opens(database, own, "app-2")
        assert not await opens(database, own, "nobody's")
        assert not await opens(database, own, at=NOW + 300)
    assert not await opens(database, "b")
    assert await opens(database, "b", "app-1", NOW + 299) == "for b"
    assert await opens(database, "a") == "for a"
    await database.write(apps.delete, made.apps[0].number, NOW)
    assert not await opens(database, "c")


async def test_a_code_is_ended_by_its_app_and_its_account_alone(database: Database) -> None:
    made = await database.write(rooms)
    ((account,),) = await rows(database, "SELECT number FROM accounts")
    one, two = (app.number for app in made.apps)
    await database.write(code, made, "a")
    await database.write(code, made, "b")

    async def revoked(own: str, at: float = NOW, **by: int) -> bool:
        return await database.write(_revoke, own, at, by)

    assert not await revoked("a", app=two)
    assert not await revoked("a", account=account + 1)
    assert not await revoked("a", NOW + 300, app=one)
    assert await revoked("a", app=one)
    assert not await revoked("a", app=one)
    assert await revoked("b", account=account)
    assert not await opens(database, "a")
    page = await database.read(access_codes.page, one, "", 9)
    assert [(kept.id, kept.ended_why) for kept in page] == [("a", "revoked"), ("b", "revoked")]
    assert await database.read(access_codes.page, two, "", 9) == []


async def _revoke(tx: Tx, own: str, at: float, by: dict[str, int]) -> bool:
    return await access_codes.revoke(tx, own, at, **by)


async def test_what_is_good_now_is_counted_and_a_digest_is_taken_once(database: Database) -> None:
    made = await database.write(rooms)
    for own, form, app in (
        ("a", Form.SHORT, 0),
        ("b", Form.SHORT_IN_APP, 0),
        ("c", Form.LONG, 0),
        ("d", Form.SHORT, 1),
    ):
        assert await database.write(code, made, own, form, app) == 0
    one = made.apps[0].number
    assert await database.read(access_codes.live, one, NOW) == Live(3, 2, 2)
    assert await database.read(access_codes.live, one, NOW + 300) == Live(0, 0, 0)
    again = NewCode("e", one, [], "", NOW, NOW + 9)
    taken = ["digest a", "digest d"]
    assert await database.write(access_codes.create, again, Form.SHORT, taken) is None
    assert await database.write(access_codes.create, again, Form.SHORT, [*taken, "free"]) == 2
    await opens(database, "d")
    after = again._replace(id="f")
    assert await database.write(access_codes.create, after, Form.SHORT, taken) == 1
