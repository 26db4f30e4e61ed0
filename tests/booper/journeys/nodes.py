"""Two whole Boopers on one PostgreSQL, each with its own front door, and one simulated Apple."""

from __future__ import annotations

import base64
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import trio

from booper import wiring
from booper.settings import Delivery, Http, Postgresql, Public, Settings
from booper.simulators.apns import Account, ApnsSimulator, generate_key
from tests.booper.journeys.house import Journey, instance_table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

KEYS = {"k1": base64.b64encode(b"0" * 32).decode()}
FREE = Public(per_address=0, per_channel=0, changes_per_address=0)
HOUR = 3600.0  # a tick so long that nobody looks for anything without being told


async def until(true: Callable[[], Awaitable[bool]], patience: float = 20.0) -> None:
    """Wait until it is so."""
    with trio.fail_after(patience):
        while not await true():
            await trio.sleep(0.02)


@asynccontextmanager
async def nodes(
    folder: Path,
    url: str,
    *,
    count: int = 2,
    prepared: bool = True,
    listen_url: str = "",
    **more: Any,
) -> AsyncIterator[list[Journey]]:
    """That many nodes, started one after the other, stopped together."""
    key, apple = generate_key(), ApnsSimulator(Account())
    apple.account.add_key(key.team_key)
    async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
        await nursery.start(apple.serve)
        given: dict[str, Any] = {"delivery": Delivery(tick=HOUR), "public": FREE, **more}
        settings = Settings(
            database=url,
            shutdown=5.0,
            http=Http(port=0),
            postgresql=Postgresql(
                connections=3, prepared_statements=prepared, listen_url=listen_url
            ),
            instances={"apns": instance_table(apple, key, folder / "ca.pem")},
            keys=KEYS,
            **given,
        )
        found = []
        for _ in range(count):
            booper: wiring.Booper = await nursery.start(partial(wiring.run, settings))
            stack.callback(booper.stop)
            client = httpx.AsyncClient(base_url=booper.url, timeout=30)
            found.append(Journey(booper, apple, await stack.enter_async_context(client)))
        yield found
        await stack.aclose()
        await until(partial(_ended, found))
        nursery.cancel_scope.cancel()


async def _ended(found: list[Journey]) -> bool:
    return not any(one.booper.registry.names() for one in found)
