"""Many instances under one roof, each with a simulated Apple of its own, and a clock that leaps."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import trio

from booper import wiring
from booper.clock import SystemClock, SystemDice
from booper.providers import codec
from booper.settings import Delivery, Http, Public, Settings
from booper.simulators.apns import Account, ApnsSimulator, generate_key
from booper.simulators.certificates import Authority
from booper.transport import Network, Pool
from tests.booper.journeys.house import Journey, device_token, instance_table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from booper.providers.provider import Codec
    from booper.wire import Endpoint

    Change = Callable[["Neighbour"], None]


class LeapClock(SystemClock):
    """The machine's clocks, some seconds ahead: what a test need not wait for."""

    ahead = 0.0

    def wall(self) -> float:
        return super().wall() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Pools(Network):
    """Remembers the pools it made, by port."""

    def __init__(self) -> None:
        super().__init__(SystemDice())
        self.made: dict[int, list[Pool]] = {}

    def pool(self, endpoint: Endpoint) -> Pool:
        pool = super().pool(endpoint)
        self.made.setdefault(endpoint.port, []).append(pool)
        return pool


class Neighbour:
    """An instance as it will be set up; a test may bend `table` and `faults` before."""

    def __init__(self, name: str, apple: ApnsSimulator, table: dict[str, Any]) -> None:
        self.name = name
        self.apple = apple
        self.table = table

    @property
    def received(self) -> int:
        """How many devices its Apple accepted something for."""
        return len(self.apple.ledger)


class Neighbourhood(Journey):
    """A running house with many instances; the channel of its name reaches one's devices."""

    def __init__(
        self,
        booper: wiring.Booper,
        neighbours: Mapping[str, Neighbour],
        client: httpx.AsyncClient,
        pools: Pools,
        clock: LeapClock,
    ) -> None:
        super().__init__(booper, next(iter(neighbours.values())).apple, client)
        self.neighbours = neighbours
        self.pools = pools
        self.clock = clock

    async def settle_in(self, names: list[str], count: int, *channels: str) -> None:
        """`count` devices for each of these, listening to its own channel and to `channels`."""
        for index, name in enumerate(names):
            for number in range(count):
                token = device_token(1_000_000 + 1000 * index + number)
                body = {"provider": "apns", "device_token": token, "instance": name}
                own = (await self.client.post("/api/devices", json=body)).json()["id"]
                for channel in (name, *channels):
                    body = {"channel": channel, "device_id": own}
                    answer = await self.client.post("/api/subscriptions", json=body)
                    assert answer.status_code == 201, answer.text

    async def until(self, name: str, patience: float = 30.0, **standing: Any) -> dict[str, Any]:
        """The instance's standing, once it is as said."""
        with trio.fail_after(patience):
            while True:
                now = await self.standing(name)
                if now is not None and all(now[key] == value for key, value in standing.items()):
                    return now
                await trio.sleep(0.02)

    async def leap_until_done(self, own: str, seconds: float, most: int = 100) -> dict[str, Any]:
        """Leap so many seconds again and again, until every device has its outcome."""
        for _ in range(most):
            with trio.move_on_after(1.0):
                return await self.done(own)
            self.clock.ahead += seconds
        raise AssertionError(await self.progress(own))


@asynccontextmanager
async def neighbourhood(
    folder: Path,
    names: list[str],
    *,
    bend: Mapping[str, Change] | None = None,
    wrap: Mapping[str, Callable[[Codec], Codec]] | None = None,
    send_timeout: float = 1.0,
    **more: Any,
) -> AsyncIterator[Neighbourhood]:
    """Everything started; `bend` changes a neighbour first, `wrap` its codec."""
    authority, pools, clock = Authority(), Pools(), LeapClock()
    async with trio.open_nursery() as nursery:
        neighbours: dict[str, Neighbour] = {}
        for name in names:
            key = generate_key()
            apple = ApnsSimulator(Account([key.team_key]), authority=authority, now=clock.wall)
            await nursery.start(apple.serve)
            table = instance_table(apple, key, folder / "ca.pem")
            neighbours[name] = Neighbour(name, apple, table)
            if bend and name in bend:
                bend[name](neighbours[name])
        settings = Settings(
            database=f"sqlite:{folder / 'booper.sqlite3'}",
            shutdown=5.0,
            http=Http(port=0),
            public=Public(per_address=0, per_channel=0, changes_per_address=0),
            # The lease outlives every leap.
            delivery=Delivery(tick=0.1, send_timeout=send_timeout, lease=86_400.0),
            instances={name: neighbour.table for name, neighbour in neighbours.items()},
            defaults={"apns": names[0]},
            **more,
        )

        def make(name: str, table: Mapping[str, object], now: float) -> Codec:
            made = codec(name, table, now)
            return wrap[name](made) if wrap and name in wrap else made

        run = partial(wiring.run, settings, make=make, transport=pools, clock=clock)
        async with trio.open_nursery() as inner:
            booper: wiring.Booper = await inner.start(run)
            async with httpx.AsyncClient(base_url=booper.url, timeout=20) as client:
                yield Neighbourhood(booper, neighbours, client, pools, clock)
            booper.stop()
        nursery.cancel_scope.cancel()
