"""Channels and subscriptions on both databases: who sees what, and the end of a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain import credential
from booper.domain.audience import Audience
from booper.domain.caller import Role
from booper.domain.secret import Secret
from booper.store import (
    accounts,
    apps,
    audiences,
    channel_keys,
    channels,
    fanouts,
    notifications,
    subscriptions,
)
from booper.store.channels import NewChannel
from booper.store.notifications import Accepted
from tests.booper.store.seeds import NOW, ROUTES, listeners, notify, registration, rows, run_sql
from tests.booper.store.test_janitor import janitor

if TYPE_CHECKING:
    from booper.ports import Database, Tx
    from booper.store.channels import Channel


async def app_of(tx: Tx) -> tuple[int, str]:
    """A new account's new app: its row number and id."""
    made = await accounts.create(tx, "a1", "ann@a.example", "Ann", Role.MEMBER, Secret("hash"), NOW)
    assert made is not None
    found = await apps.create(tx, "p1", made.number, "App", "free", NOW)
    return found.number, found.id


async def test_a_channel_is_found_by_what_it_is_called_and_where(database: Database) -> None:
    async def work(tx: Tx) -> None:
        own = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
        app = await app_of(tx)
        public = await channels.create(tx, NewChannel(own, "news", "News"), NOW)
        private = await channels.create(tx, NewChannel("c2", "news", app=app), NOW)
        assert public is not None
        assert private is not None
        assert (public.app, public.title, public.version) == (None, "News", 1)
        assert (private.name, private.app, private.app_id) == ("news", *app)
        assert await channels.create(tx, NewChannel("c3", "news"), NOW) is None
        assert await channels.create(tx, NewChannel("c4", "news", app=app), NOW) is None
        assert await channels.named(tx, "news") == public
        assert await channels.names(tx, {own, "c2", "none"}) == {own: "news"}
        assert await channels.named(tx, "news", "p1") == private
        assert await channels.named(tx, own) == public
        assert await channels.named(tx, own, "p1") is None
        assert await channels.find(tx, own) == public.number
        assert await channels.count(tx, app[0]) == 1
        assert await channels.page(tx, app[0], "", 9) == [private]
        assert await channels.page(tx, app[0], "c2", 9) == []
        changed = await channels.change(tx, private, "T")
        assert changed is not None
        assert await channels.change(tx, private, "late") is None
        assert await channels.named(tx, "news", "p1") == changed
        assert not await channels.delete(tx, private, NOW)
        assert await channels.delete(tx, changed, NOW)
        assert await channels.named(tx, "news", "p1") is None
        assert await channels.count(tx, app[0]) == 0
        assert await channels.delete(tx, public, NOW)
        assert await channels.find(tx, own) is None

    await database.write(work)


async def test_a_device_sees_more_when_it_proves_itself(database: Database) -> None:
    async def work(tx: Tx) -> None:
        app = await app_of(tx)
        (device,) = await listeners(tx, [registration(1)], "public")
        made: dict[str, Channel] = {}
        for name in ("granted", "listened", "closed"):
            channel = await channels.create(tx, NewChannel(f"c-{name}", name, app=app), NOW)
            assert channel is not None
            made[name] = channel
        await channels.subscribe(tx, made["listened"].number, [(device, "s1")], NOW)
        sql = "INSERT INTO grants (device, channel, granted_at) VALUES (?, ?, 1.0)"
        await run_sql(tx, sql, device, made["granted"].number)

        async def names(app_id: str = "", *, all_of_it: bool) -> list[str]:
            whole = await subscriptions.heard(tx, device, app_id, "", 9, all_of_it=all_of_it)
            pages: list[subscriptions.Heard] = []
            for one in whole:
                after = pages[-1].id if pages else ""
                pages += await subscriptions.heard(
                    tx, device, app_id, after, 1, all_of_it=all_of_it
                )
                assert pages[-1] == one
            return [one.channel.name for one in whole]

        assert await names(all_of_it=False) == ["granted", "public"]
        assert await names(all_of_it=True) == ["granted", "listened", "public"]
        assert await names("p1", all_of_it=True) == ["granted", "listened"]
        assert await names("p2", all_of_it=True) == []
        for name, address, proved in (("granted", 1, 1), ("listened", 0, 1), ("closed", 0, 0)):
            number = made[name].number
            seen = await subscriptions.sees(tx, device, number, all_of_it=False)
            assert (seen is not None) == bool(address)
            seen = await subscriptions.sees(tx, device, number, all_of_it=True)
            assert (seen is not None) == bool(proved)
        whole = await subscriptions.rooms(tx, device, "", 9, all_of_it=True)
        assert len(whole) == 3
        own = await subscriptions.rooms(tx, device, "p1", 9, all_of_it=False)
        assert own == [made["granted"].number]
        assert await subscriptions.rooms(tx, device, "", 1, all_of_it=True) == whole[:1]
        for proved in (False, True):
            (found,) = await apps.of_device(tx, device, "", 9, all_of_it=proved)
            assert found.id == "p1"
            assert await apps.seen_by(tx, device, "p1", all_of_it=proved) == found
            assert await apps.seen_by(tx, device, "p2", all_of_it=proved) is None
            assert await apps.of_device(tx, device, "p1", 9, all_of_it=proved) == []
        one = await subscriptions.one(tx, "s1")
        assert one is not None
        assert (one.channel, one.muted, one.user_id) == (made["listened"], False, "")
        await audiences.join(tx, app[0], device, NOW, user_id="u")
        await subscriptions.mute(tx, "s1", muted=True)
        (one,) = await subscriptions.page(tx, made["listened"].number, "", 9)
        assert (one.device_id, one.muted, one.user_id) == ("device-1", True, "u")
        await subscriptions.end_all(tx, device, all_of_it=False)
        assert await subscriptions.count(tx, device) == 1
        await subscriptions.end_all(tx, device, all_of_it=True)
        assert await subscriptions.count(tx, device) == 0
        await subscriptions.end(tx, made["granted"].number, device, shut=True)
        assert await apps.of_device(tx, device, "", 9, all_of_it=False) == []
        assert await apps.seen_by(tx, device, "p1", all_of_it=True) is not None, "a member"
        assert await names(all_of_it=True) == []

    await database.write(work)


async def test_a_deleted_channel_hears_nothing_more_and_goes_in_small_steps(
    database: Database,
) -> None:
    async def work(tx: Tx) -> None:
        await listeners(tx, [registration(n) for n in range(5)])
        await notify(tx, "n1")
        await notify(tx, "n2")
        found = await channels.named(tx, "news")
        assert found is not None
        sql = (
            "INSERT INTO notification_channels (channel, notification)"
            " SELECT channel, number FROM notifications"
        )
        await run_sql(tx, sql)
        assert await fanouts.expand(tx, ROUTES, 0, NOW, 2) is not None
        assert await channels.delete(tx, found, NOW)

    await database.write(work)
    while await database.write(fanouts.expand, ROUTES, 0, NOW, 2) is not None:
        pass
    told = await rows(database, "SELECT id, devices FROM notifications ORDER BY id")
    assert told == [("n1", 2), ("n2", 0)]
    steps = []
    while swept := await database.write(channels.sweep, 2):
        steps.append(swept)
    assert steps == [2, 2, 1, 2, 2, 1]  # subscriptions, their notifications twice, the channel
    assert await rows(database, "SELECT number FROM channels") == []
    kept = await rows(database, "SELECT id, channel FROM notifications ORDER BY id")
    assert kept == [("n1", None), ("n2", None)]
    assert await database.write(channels.sweep, 2) == 0


async def test_where_a_notification_goes_and_where_that_wants_a_key(database: Database) -> None:
    key = credential.minted(credential.PUBLISH, bytes(30))

    async def work(tx: Tx) -> None:
        made = await channels.create(tx, NewChannel("c1", "ops", publish=key), NOW)
        assert made is not None
        await notify(tx, "n1", "ops")
        await notify(tx, "n2", "news")
        news = await channels.find(tx, "news") or 0
        several = Accepted("n3", None, "{}", NOW, NOW + 9)
        await notifications.accept(tx, [several], [(made.number, "n3"), (news, "n3")])
        found = [await audiences.rooms_of(tx, own) for own in ("n1", "n2", "n3", "n4")]
        assert [set(one.channels) for one in found] == [
            {made.number},
            {news},
            {made.number, news},
            set(),
        ]
        locked = (made.number,)
        assert [one.guarded for one in found] == [locked, (), locked, ()]
        to = await audiences.resolve(tx, Audience(channels=["ops", "news"]), None)
        assert (to.channels, to.guarded) == ((made.number, news), locked)

    await database.write(work)


async def test_the_janitor_takes_deleted_channels_away(database: Database) -> None:
    async def work(tx: Tx) -> None:
        for name in ("news", "ops", "kept"):
            await listeners(tx, [registration(n) for n in range(3)], name)
        for name in ("news", "ops"):
            found = await channels.named(tx, name)
            assert found is not None
            assert await channels.delete(tx, found, NOW)

    await database.write(work)
    one = janitor(database)
    for _ in range(5):
        await one.step()
    assert await rows(database, "SELECT name FROM channels") == [("kept",)]
    assert await rows(database, "SELECT count(*) FROM subscriptions") == [(3,)]


async def test_the_credentials_of_a_channel_are_known_by_their_hashes(database: Database) -> None:
    secret = credential.minted(credential.CHANNEL, bytes(range(30)))
    key, other = (credential.minted(credential.PUBLISH, bytes([n]) * 30) for n in (1, 2))

    async def work(tx: Tx) -> None:
        made = await channels.create(tx, NewChannel("c1", "ops", secret=secret), NOW)
        assert made is not None
        holder = await channel_keys.know_holder(tx, secret)
        assert holder is not None
        assert (holder.number, holder.channel) == (made.number, "c1")
        assert await channel_keys.know_publisher(tx, key) is None
        assert await channel_keys.lock(tx, made.number, made.version, key)
        assert not await channel_keys.lock(tx, made.number, made.version, other)
        publisher = await channel_keys.know_publisher(tx, key)
        assert publisher is not None
        assert publisher.channel == "c1"
        assert await channel_keys.know_publisher(tx, other) is None
        assert await channels.room(tx, "ops") == (made.number, key.name)
        assert await channel_keys.lock(tx, made.number, 2, None)
        assert await channel_keys.know_publisher(tx, key) is None
        last = await channels.named(tx, "ops")
        assert last is not None
        assert await channels.delete(tx, last, NOW)
        assert await channel_keys.know_holder(tx, secret) is None

    await database.write(work)
