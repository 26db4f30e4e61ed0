"""Rows to begin with: an open database, devices, a channel, notifications, and how to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from booper.domain.fairness import Hand
from booper.domain.routing import Routes
from booper.ports import Sql
from booper.store import channels, devices, endings, fanouts, notifications, outbox, poison
from booper.store.devices import Registration
from booper.store.notifications import Accepted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.delivery import Batch
    from booper.domain.notification import Progress
    from booper.ports import Database, Row, Tx

NOW = 1_800_000_000.0
ROUTES = Routes({"main": "apns"}, {})


def registration(number: int, instance: str = "", provider: str = "apns") -> Registration:
    """Device `number`, as it introduces itself."""
    return Registration(f"device-{number}", provider, instance, f"{number:064x}")


async def listeners(
    tx: Tx, registrations: Sequence[Registration], channel: str = "news", now: float = NOW
) -> list[int]:
    """The devices registered and subscribed; their row numbers."""
    await devices.register(tx, registrations, now)
    numbers = [n for r in registrations if (n := await devices.find(tx, r.id)) is not None]
    room = await channels.ensure(tx, f"channel-{channel}", channel, now)
    await channels.subscribe(tx, room, [(n, f"{channel}-{n}") for n in numbers], now)
    return numbers


async def notify(tx: Tx, own: str = "n1", channel: str = "news", now: float = NOW) -> None:
    """A notification accepted for the channel; the channel is made if need be."""
    room = await channels.ensure(tx, f"channel-{channel}", channel, now)
    await notifications.accept(tx, [Accepted(own, room, "{}", now, now + 86_400)])


async def audience(database: Database, size: int, own: str = "n1") -> list[int]:
    """`size` devices that listen, and one notification to them."""

    async def work(tx: Tx) -> list[int]:
        numbers = await listeners(tx, [registration(n) for n in range(size)])
        await notify(tx, own)
        return numbers

    return await database.write(work)


async def expand_all(database: Database, routes: Routes = ROUTES, size: int = 5_000) -> int:
    """Every waiting audience cut into batches; how many pages that took."""
    pages = 0
    while await database.write(fanouts.expand, routes, 0, NOW, size) is not None:
        pages += 1
    return pages


async def claim(
    database: Database,
    room: int = 100,
    *,
    lease: str = "lease",
    instance: str = "main",
    now: float = NOW,
) -> list[Batch]:
    """Due batches, suspects among them, leased for 30 s."""

    async def work(tx: Tx) -> list[Batch]:
        hand = Hand(room, {}, 0)
        terms = outbox.Terms(lease, "node", now, now + 30)
        lines = await outbox.lines(tx, instance, now)
        leased = await outbox.take(tx, outbox.shares(instance, lines, hand), terms, room)
        while len(leased) < room and (more := await poison.claim(tx, instance, terms)):
            leased += more
        await endings.orphaned(tx, [one for one in leased if one.orphan], now)
        claimed = await outbox.located(tx, [one for one in leased if not one.orphan])
        return [one.opened([raw.decode() for raw in one.sealed]) for one in claimed]

    return await database.write(work)


async def progress(database: Database, own: str = "n1") -> Progress:
    """The account of a notification; it must exist, and it must add up."""
    shown = await database.read(notifications.progress, own)
    assert shown is not None
    assert shown.devices == shown.pending + sum(shown.counts.values())
    assert shown.pending >= 0
    return shown


async def rows(database: Database, sql: str, *params: object) -> list[Row]:
    """Committed rows."""

    async def work(tx: Tx) -> list[Row]:
        return await tx.fetch(Sql(sql), *params)

    return await database.read(work)


async def run_sql(tx: Tx, sql: str, *params: object) -> Any:
    """One statement inside a work; how many rows it changed."""
    return await tx.execute(Sql(sql), *params)
