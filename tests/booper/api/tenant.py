"""An app at the door: its owner, its key, its channels and devices."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from booper.store import apps, audiences, channels, devices
from tests.booper.api.door import Door, door
from tests.booper.api.test_apps import Person, person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from booper.ports import Tx


class Tenant:
    """One app with a key for everything."""

    def __init__(self, house: Door, owner: Person, app: str, key: Person) -> None:
        self.house = house
        self.owner = owner
        self.app = app
        self.key = key

    async def notify(self, **body: Any) -> httpx.Response:
        """Said by the key."""
        return await self.key.ask("POST", "/api/notify", {"title": "Hello", **body})

    async def channel(self, name: str, *listeners: str) -> None:
        """A channel of the app's, with these devices (ids)."""

        async def work(tx: Tx) -> None:
            found = await apps.find(tx, self.app)
            assert found is not None
            place = (found.number, self.app)
            room = await channels.ensure(tx, f"{self.app}-{name}", name, 1.0, place)
            numbers = [await devices.find(tx, own) for own in listeners]
            await channels.subscribe(tx, room, [(n or 0, f"{room}-{n}") for n in numbers], 1.0)

        await self.house.database.write(work)

    async def member(self, number: int, **names: str) -> str:
        """A device that belongs to the app; its id."""
        own = await self.house.device(f"{number:064x}")

        async def work(tx: Tx) -> None:
            found, device = await apps.find(tx, self.app), await devices.find(tx, own)
            assert found is not None
            assert device is not None
            await audiences.join(tx, found.number, device, 1.0, **names)

        await self.house.database.write(work)
        return own


async def tenant(house: Door, name: str = "ann") -> Tenant:
    """A new owner with an app and its key."""
    owner = await person(house, name)
    app = await owner.app()
    made = await owner.key(app)
    return Tenant(house, owner, app, Person(house, made["key"]))


@asynccontextmanager
async def tenanted(folder: Path, **more: Any) -> AsyncIterator[Tenant]:
    """A door with one tenant behind it."""
    async with door(folder, **more) as house:
        yield await tenant(house)
