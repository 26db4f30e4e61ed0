"""Grants: a device sees of a private app what it was let into, and of anybody's channels all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.store import apps, channels, devices, grants, members
from tests.booper.store.seeds import NOW, registration, rows, run_sql
from tests.booper.store.test_accounts import account

if TYPE_CHECKING:
    from booper.ports import Database, Tx
    from booper.store.apps import App


class Rooms(NamedTuple):
    """Two apps with two channels each, one public channel, two devices; row numbers."""

    apps: list[App]
    rooms: dict[str, int]
    devices: list[int]


async def rooms(tx: Tx) -> Rooms:
    owner = await account(tx)
    two = [await apps.create(tx, f"app-{n}", owner.number, "App", "free", NOW) for n in (1, 2)]
    found = {"news": await channels.ensure(tx, "p", "news", NOW)}
    for app in two:
        for name in ("b", "a"):
            key = f"{app.id}/{name}"
            found[key] = await channels.ensure(tx, f"id-{key}", name, NOW, (app.number, app.id))
    await devices.register(tx, [registration(1), registration(2)], NOW)
    numbers = [await devices.find(tx, f"device-{n}") or 0 for n in (1, 2)]
    return Rooms(two, found, numbers)


async def test_a_device_is_let_into_what_it_was_granted(database: Database) -> None:
    made = await database.write(rooms)
    one, two = made.devices
    first, second = made.apps
    inside = [made.rooms["app-1/b"], made.rooms["app-1/a"]]
    await database.write(grants.give, one, inside, NOW)
    await database.write(grants.give, one, inside, NOW + 9)
    seen = await database.read(grants.of_device, one, first.number)
    assert [(g.channel, g.id, g.name, g.title, g.granted_at) for g in seen] == [
        (made.rooms["app-1/a"], "id-app-1/a", "a", "", NOW),
        (made.rooms["app-1/b"], "id-app-1/b", "b", "", NOW),
    ]
    assert await database.read(grants.of_device, one, second.number) == []
    assert await database.read(grants.of_device, two, first.number) == []


async def test_a_grant_ends_with_the_app_the_channel_and_the_membership(
    database: Database,
) -> None:
    made = await database.write(rooms)
    one, two = made.devices
    first, second = made.apps
    everything = [n for name, n in made.rooms.items() if "/" in name]
    for device in made.devices:
        await database.write(grants.give, device, everything, NOW)
    await database.write(apps.delete, second.number, NOW)
    assert await database.read(grants.of_device, one, second.number) == []
    await database.write(members.leave, first.number, one)
    assert await database.read(grants.of_device, one, first.number) == []
    assert len(await database.read(grants.of_device, two, first.number)) == 2
    await database.write(run_sql, "DELETE FROM channels WHERE id = 'id-app-1/a'")
    left = await database.read(grants.of_device, two, first.number)
    assert [one.name for one in left] == ["b"]
    await database.write(devices.delete, two, "deleted", NOW)
    assert await rows(database, f"SELECT * FROM grants WHERE device = {two}") == []
