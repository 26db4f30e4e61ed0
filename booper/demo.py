"""The demo: a whole Booper beside a simulated Apple in a process of its own, and a campaign.

The figures come from the simulator's ledger: what arrived, not what we believe to have sent.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import trio

from booper.clock import SystemClock, UuidIds
from booper.settings import Delivery, Http, Public, Settings
from booper.store import channels, devices
from booper.store.devices import Registration
from booper.store.sqlite import open_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable

    from booper.ports import Database, Tx
    from booper.simulators.apart import Apple

CHANNEL = "demo"
PAGE = 1000
PATIENCE = 30.0  # seconds without anything new at the simulator before the rest counts as lost


class Summary(msgspec.Struct, frozen=True):
    """What a campaign came to. `lost`: neither at the simulator nor with a failure's reason."""

    notifications: int
    devices: int
    accepted: int
    failed: int
    lost: int
    duplicates: int
    seconds: float
    per_second: float
    database: str


def demo_settings(folder: Path, apple: Apple, port: int) -> Settings:
    """A Booper with one instance, pointed at the simulator."""
    return Settings(
        database=f"sqlite:{folder / 'demo.sqlite3'}",
        shutdown=5.0,
        http=Http(port=port),
        public=Public(per_address=0, per_channel=0),
        delivery=Delivery(),
        instances={
            "apns": {
                "provider": "apns",
                "key_id": apple.key_id,
                "team_id": apple.team_id,
                "topic": apple.topic,
                "private_key": Path(apple.key_file).read_text("utf-8"),
                "url": apple.url,
                "ca_file": apple.ca_file,
            }
        },
    )


async def subscribe(database: Database, count: int, channel: str = CHANNEL) -> None:
    """Make up devices and subscribe them all, as their apps would do one by one."""
    ids, clock = UuidIds(), SystemClock()

    async def page(tx: Tx, first: int, last: int) -> None:
        now = clock.wall()
        made = [Registration(ids.mint(), "apns", "", f"{n:064x}") for n in range(first, last)]
        own = [await devices.find(tx, i) for i in await devices.register(tx, made, now)]
        number = await channels.ensure(tx, ids.mint(), channel, now)
        pairs = [(device, ids.mint()) for device in own if device is not None]
        await channels.subscribe(tx, number, pairs, now)

    for first in range(0, count, PAGE):
        await database.write(page, first, min(first + PAGE, count))


async def prepare(settings: Settings, count: int) -> None:
    """A database with that many subscribers of the demo channel."""
    async with open_sqlite(settings.sqlite_path) as database:
        await subscribe(database, count)


async def campaign(
    url: str, apple: Apple, devices_: int, notifications: int, seen: Callable[[int], None]
) -> Summary:
    """Notify the demo channel that often, wait until all is settled, and count at the simulator.

    `seen` is told how many pushes the simulator has accepted so far.
    """
    clock = SystemClock()
    async with httpx.AsyncClient(timeout=30) as client:
        begun = clock.wall()
        own = []
        for n in range(notifications):
            body = {"channel": CHANNEL, "title": "Hello from Booper", "body": f"Number {n + 1}"}
            answer = await client.post(f"{url}/api/notify", json=body)
            answer.raise_for_status()
            own.append(answer.json()["id"])
        shown = await _settled(client, url, apple, own, seen)
        ledger = (await client.get(f"{apple.control_url}/ledger/summary")).json()
    wanted = devices_ * notifications
    failed = sum(sum(one["counts"].values()) - one["counts"]["accepted"] for one in shown)
    seconds = max((ledger["last"] or begun) - begun, 1e-9)
    return Summary(
        notifications=notifications,
        devices=devices_,
        accepted=ledger["distinct"],
        failed=failed,
        lost=wanted - ledger["distinct"] - failed,
        duplicates=ledger["duplicates"],
        seconds=round(seconds, 3),
        per_second=round(ledger["accepted"] / seconds, 1),
        database="sqlite",
    )


async def _settled(
    client: httpx.AsyncClient, url: str, apple: Apple, own: list[str], seen: Callable[[int], None]
) -> list[dict[str, Any]]:
    """Each notification's account, once all are done or nothing moves any more."""
    last, moved = -1, trio.current_time()
    while True:
        answers = [(await client.get(f"{url}/api/notifications/{one}")).json() for one in own]
        accepted = (await client.get(f"{apple.control_url}/ledger/summary")).json()["accepted"]
        seen(accepted)
        if accepted != last:
            last, moved = accepted, trio.current_time()
        done = all(answer["finished_at"] for answer in answers)
        if done or trio.current_time() - moved > PATIENCE:
            return answers
        await trio.sleep(0.1)


def as_line(summary: Summary) -> str:
    """The summary as one line of JSON."""
    return json.dumps(msgspec.structs.asdict(summary))
