"""The registrar on a real store: outages, keys that are lost or rotate, moved ciphertexts."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import Registry
from booper.clock import SystemClock, SystemDice, UuidIds, entropy
from booper.domain.errors import Invalid, NotFound, Unavailable, Unsealable
from booper.domain.wanted import Editor
from booper.ports import Ports, Sql
from booper.seal import KeyRing, new_key
from booper.simulators.apns import generate_key
from booper.store import instances
from booper.store.device_tokens import DeviceTokens
from booper.store.server_keys import ServerKeys
from booper.store.sqlite import open_sqlite
from booper.transport import Network
from booper.workers.configuration import seed
from booper.workers.directory import Directory
from booper.workers.registrar import Registrar
from booper.workers.safe import Safe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from booper.ports import Database, Tx

pytestmark = pytest.mark.real
US, ANN, BEA = Editor("", "operator"), Editor("ann", "ann"), Editor("bea", "bea")
KEY = generate_key()
SETTINGS: dict[str, Any] = {
    "key_id": "KEY1234567",
    "team_id": "TEAM123456",
    "topic": "com.example.app",
    "private_key": KEY.private_key_pem,
}
OLD, NEW = new_key(entropy), new_key(entropy)


class Moody:
    """A database that is away when it is told to be."""

    def __init__(self, real: Database) -> None:
        self.real = real
        self.away = False

    async def read(self, work: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        return await self.real.read(work, *args)

    async def write(self, work: Callable[..., Awaitable[Any]], *args: Any, **how: Any) -> Any:
        if self.away:
            raise Unavailable("away", code="store_unavailable")
        return await self.real.write(work, *args, **how)

    async def gather(self, work: Callable[..., Awaitable[Any]], *args: Any, **how: Any) -> Any:
        return await self.real.gather(work, *args, **how)


def registrar(database: Database, **keys: str) -> Registrar:
    dice, clock = SystemDice(), SystemClock()
    seal = KeyRing(keys or {"old": OLD}, entropy)
    ids = UuidIds()
    tokens = DeviceTokens(ServerKeys(database, seal, ids, clock), ids)
    ports = Ports(database, Network(dice), clock, ids, dice, seal, tokens)
    return Registrar(ports, Directory(), Registry(), Safe(seal, clock))


@asynccontextmanager
async def stored(folder: Path) -> AsyncIterator[Moody]:
    async with open_sqlite(folder / "b.sqlite3") as real:
        yield Moody(real)


async def test_an_outage_in_the_middle_of_a_change_changes_nothing(tmp_path: Path) -> None:
    async with stored(tmp_path) as database:
        own = registrar(database)
        first = await own.create(US, "main", "apns", SETTINGS)
        database.away = True
        for change in (
            own.reconfigure(US, "main", {"topic": "com.example.other"}),
            own.turn(US, "main", "disable"),
            own.decide(US, "main", "undo"),
            own.delete(US, "main"),
            own.create(US, "other", "apns", SETTINGS),
            own.report("main", 1, None),
        ):
            with pytest.raises(Unavailable):
                await change
        assert own.directory.get("main") == first
        assert len(own.directory) == 1
        database.away = False
        assert await own.find(US, "main") == first
        changed = await own.reconfigure(US, "main", {"topic": "com.example.other"})
        assert own.directory.get("main") == changed
        with pytest.raises(NotFound):
            await own.find(US, "other")


async def test_two_tenants_ciphertexts_that_change_places_open_for_neither(tmp_path: Path) -> None:
    async with stored(tmp_path) as database:
        own = registrar(database)
        for who in (ANN, BEA):
            await own.create(who, "main", "apns", SETTINGS)
            await own.codec(f"{who.tenant}/main", 1)

        async def swap(tx: Tx) -> None:
            rows = {row[0]: row[4] for row in await instances.sealed(tx)}
            await instances.reseal(tx, "ann/main", 1, rows["bea/main"])
            await instances.reseal(tx, "bea/main", 1, rows["ann/main"])

        await database.write(swap)
        for key in ("ann/main", "bea/main"):
            with pytest.raises(Unsealable):
                await own.codec(key, 1)


async def test_a_rotated_key_seals_anew_and_the_old_one_may_go(tmp_path: Path) -> None:
    async with stored(tmp_path) as database:
        await registrar(database).create(US, "main", "apns", SETTINGS)
        with pytest.raises(Unsealable) as caught:
            await registrar(database, new=NEW).codec("main", 1)
        assert caught.value.code == "key_missing"
        assert await database.write(registrar(database, new=NEW).safe.renew) == 0, "it stays"
        both = registrar(database, new=NEW, old=OLD)
        assert await database.write(both.safe.renew) == 1
        assert await database.write(both.safe.renew) == 0
        await registrar(database, new=NEW).codec("main", 1)


async def test_nobody_sees_somebody_elses(tmp_path: Path) -> None:
    async with stored(tmp_path) as database:
        own = registrar(database)
        await own.create(ANN, "main", "apns", SETTINGS)
        for change in (
            own.find(BEA, "main"),
            own.turn(BEA, "main", "stop"),
            own.reconfigure(BEA, "main", {}),
            own.delete(BEA, "main"),
            own.find(US, "main"),
        ):
            with pytest.raises(NotFound):
                await change
        assert (await own.create(BEA, "main", "apns", SETTINGS)).key == "bea/main"


async def test_w17_a_credential_is_in_no_file_no_view_and_no_error(tmp_path: Path) -> None:
    secret = "".join(KEY.private_key_pem.split("-----")[2].split())
    async with stored(tmp_path) as database:
        own = registrar(database)
        await own.create(US, "main", "apns", SETTINGS)
        await own.reconfigure(US, "main", {"topic": "com.example.other"})
        wanted, kept = await own.seen(US, "main")
        broken = SETTINGS["private_key"].replace("BEGIN PRIVATE", "BEGIN BROKEN")
        with pytest.raises(Invalid) as caught:
            await own.reconfigure(US, "main", {"private_key": broken})
        lines = await database.read(instances.lines, "main", "", 2**62, 100)
        said = repr((wanted, kept, caught.value, caught.value.detail, lines, own.safe))
        data = b"".join([await file.read_bytes() for file in await trio.Path(tmp_path).iterdir()])
    for part in (secret[:40], secret[-40:]):
        assert part not in said
        assert part.encode() not in data
    assert b"com.example.other" in data, "the files were looked at"


async def test_what_is_prefered_is_prefered_alone(tmp_path: Path) -> None:
    async with stored(tmp_path) as database:
        own = registrar(database)
        for name in ("a", "b"):
            await own.create(US, name, "apns", SETTINGS, preferred=True)
        text = "SELECT name FROM instances WHERE preferred = 1"

        async def look(tx: Tx) -> list[Any]:
            return await tx.fetch(Sql(text, text))

        assert await database.read(look) == [("b",)]


async def test_nodes_that_start_at_once_with_one_file_agree(tmp_path: Path) -> None:
    """Each looked at the rows before the other wrote."""
    table = {"provider": "apns", **SETTINGS}
    async with stored(tmp_path) as database:
        first, second, third = (registrar(database) for _ in range(3))
        await seed(first, {"main": table, "other": table})
        await seed(second, {"main": table, "other": table})
        (row, _) = await database.read(instances.every)
        assert (row.version, second.directory.get("main")) == (1, row)
        for wanted in await database.read(instances.every):
            third.directory.put(wanted)
        await seed(first, {"main": table})
        await seed(third, {"main": table})
        assert [row.name for row in third.directory] == ["main"]
        assert [row.name for row in await database.read(instances.every)] == ["main"]
