"""Tenants' notifications through their own instances, the operator's, or none; on every node."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest
import trio

from actors import Registry
from booper.domain.content import Content
from booper.domain.wanted import Editor
from booper.providers import codec
from booper.simulators.apns import generate_key
from booper.store import channels, notifications
from booper.store.notifications import Accepted
from booper.workers.directory import Directory
from booper.workers.registrar import Registrar
from booper.workers.safe import Safe
from tests.booper.journeys.house import TOPIC, instance_table, journey

if TYPE_CHECKING:
    from pathlib import Path

    from booper.domain.notification import Progress
    from booper.ports import Tx
    from tests.booper.journeys.house import Journey

pytestmark = pytest.mark.real
SHOP, CLUB = "01890000-0000-7000-8000-000000000001", "01890000-0000-7000-8000-000000000002"


class Elsewhere:
    """Another node on the same store: it changes rows, and can tell nobody here."""

    def __init__(self, house: Journey) -> None:
        self._house, ports = house, house.booper.ports
        safe = Safe(ports.seal, ports.clock, codec)
        self.registrar = Registrar(ports, Directory(), Registry(), safe)

    async def instance(self, tenant: str, number: int, folder: Path) -> str:
        """An instance of the tenant with a key of its own; what the ledger calls it."""
        key = generate_key(key_id=f"KEY{number:07d}", team_id=f"TEAM{number:06d}")
        self._house.apple.account.add_key(key.team_key)
        table = instance_table(self._house.apple, key, folder / "ca.pem")
        del table["provider"]
        await self.registrar.create(Editor(tenant, "test"), "own", "apns", table)
        return f"{key.team_key.team_id}/{key.team_key.key_id}/{TOPIC}"

    async def delete(self, tenant: str) -> None:
        await self.registrar.delete(Editor(tenant, "test"), "own")


async def say(house: Journey, tenant: str) -> Progress:
    """A notification of that tenant to everybody in the channel, and what became of it."""
    ports = house.booper.ports
    own, now = ports.ids.mint(), ports.clock.wall()
    text = msgspec.json.encode(Content(title="Hi")).decode()

    async def accept(tx: Tx) -> None:
        channel = await channels.find(tx, "news")
        assert channel is not None
        await notifications.accept(tx, [Accepted(own, channel, text, now, now + 60, tenant)])

    await ports.database.write(accept)
    with trio.fail_after(30):
        while True:  # a tenant's is not for strangers to see: the store is asked
            found = await ports.database.read(notifications.progress, own)
            if found is not None and found.finished_at is not None:
                return found
            await trio.sleep(0.02)


async def eventually(house: Journey, tenant: str, wanted: dict[str, int]) -> None:
    """Say something until it goes out as wanted; the first tries may still go the old way, and
    none is lost on it."""
    with trio.fail_after(20):
        while True:
            before = len(house.apple.ledger)
            await say(house, tenant)
            new = list(house.apple.ledger)[before:]
            if Counter(entry.instance for entry in new) == wanted:
                return


async def test_each_tenant_s_goes_out_by_its_own_key_and_changes_elsewhere_are_seen(
    tmp_path: Path,
) -> None:
    async with journey(tmp_path) as house:
        await house.register(3)
        other = Elsewhere(house)
        await say(house, "")
        (operator,) = {entry.instance for entry in house.apple.ledger}
        await eventually(house, SHOP, {operator: 3})
        shop = await other.instance(SHOP, 1, tmp_path)
        club = await other.instance(CLUB, 2, tmp_path)
        await eventually(house, SHOP, {shop: 3})
        await eventually(house, CLUB, {club: 3})
        await eventually(house, "", {operator: 3})
        await other.delete(SHOP)
        await eventually(house, SHOP, {operator: 3})
        await eventually(house, CLUB, {club: 3})


async def test_not_configured_is_not_the_same_as_no_devices(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await house.register(2)
        shown = await say(house, SHOP)
        assert (shown.devices, shown.counts["not_configured"]) == (2, 2)
        ways = (await house.client.get("/api/admin/providers")).json()["providers"]
        assert [way["configured"] for way in ways] == [False] * len(ways)
    async with journey(tmp_path) as house:
        ways = (await house.client.get("/api/admin/providers")).json()["providers"]
        (apns,) = [way for way in ways if way["configured"]]
        assert (apns["provider"], apns["via"], apns["state"]) == ("apns", "own", "enabled")
