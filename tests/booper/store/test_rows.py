"""Devices, channels, notifications: registered once, subscribed once, gone and back again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.store import channels, devices, notifications
from tests.booper.store.seeds import NOW, listeners, notify, progress, registration, rows

if TYPE_CHECKING:
    from booper.ports import Database, Tx

ALIVE = "SELECT id FROM devices WHERE gone_at IS NULL ORDER BY number"


async def test_a_device_is_registered_once_per_provider_instance_and_token(
    database: Database,
) -> None:
    first = registration(1)
    ids = await database.write(devices.register, [first, registration(2)], NOW)
    assert ids == ["device-1", "device-2"]
    again = first._replace(id="another")
    elsewhere = first._replace(id="elsewhere", instance="main")
    found = await database.write(devices.register, [again, elsewhere, again], NOW + 1)
    assert found == ["device-1", "elsewhere", "device-1"]
    stamps = await rows(database, "SELECT id, registered_at FROM devices ORDER BY number")
    assert stamps == [("device-1", NOW + 1), ("device-2", NOW), ("elsewhere", NOW + 1)]
    assert len(await database.read(devices.find_by_token, first.fingerprint)) == 2
    assert await database.read(devices.find_by_token, "unknown") == []
    assert await database.read(devices.find, "unknown") is None


async def test_a_device_that_has_gone_comes_back_by_registering(database: Database) -> None:
    one, two = await database.write(listeners, [registration(1), registration(2)])
    gone = [(one, "Unregistered"), (two, "BadDeviceToken")]
    await database.write(devices.mark_gone, gone, NOW)
    await database.write(devices.mark_gone, [(one, "later")], NOW + 9)
    kept = await rows(database, "SELECT gone_at, gone_reason FROM devices WHERE number = ?", one)
    assert kept == [(NOW, "Unregistered")], "the first reason stays"
    assert await rows(database, ALIVE) == []
    await database.write(devices.register, [registration(2)], NOW + 10)
    assert await rows(database, ALIVE) == [("device-2",)]
    assert await rows(database, "SELECT gone_reason FROM devices WHERE number = ?", two) == [
        (None,)
    ]


async def test_a_channel_is_made_once_and_a_device_subscribes_once(
    database: Database,
) -> None:
    async def work(tx: Tx) -> tuple[int, int, list[str], list[str]]:
        await devices.register(tx, [registration(1), registration(2)], NOW)
        numbers = [await devices.find(tx, f"device-{n}") or 0 for n in (1, 2)]
        room = await channels.ensure(tx, "c1", "news", NOW)
        same = await channels.ensure(tx, "c2", "news", NOW)
        first = await channels.subscribe(tx, room, [(numbers[0], "s1")], NOW)
        both = [(numbers[1], "s2"), (numbers[0], "s3")]
        return room, same, first, await channels.subscribe(tx, room, both, NOW)

    room, same, first, second = await database.write(work)
    assert room == same
    assert (first, second) == (["s1"], ["s2", "s1"])
    assert await database.read(channels.find, "news") == room
    assert await database.read(channels.find, "olds") is None
    assert await rows(database, "SELECT id FROM channels") == [("c1",)]


async def test_a_notification_is_written_with_its_fanout_row(database: Database) -> None:
    await database.write(notify, "n1")
    shown = await progress(database)
    assert (shown.id, shown.channel, shown.state) == ("n1", "news", "queued")
    assert (shown.devices, shown.pending, shown.finished_at) == (0, 0, None)
    finals = {"accepted", "failed", "gone", "expired", "not_configured"}
    assert set(shown.counts) == finals | {"delivered", "receipt_unknown"}
    assert await rows(database, "SELECT position FROM fanouts") == [(0,)]
    assert await database.read(notifications.progress, "unknown") is None
