"""Access codes on two nodes at once, over their own sockets: one comes in, one budget is left."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.domain.access_code import SOURCE_GUESSES
from tests.booper.journeys.nodes import nodes
from tests.booper.journeys.test_two_nodes import ask

if TYPE_CHECKING:
    from pathlib import Path

    from tests.booper.journeys.house import Journey

pytestmark = pytest.mark.real
ANN = {"email": "ann@a.example", "password": "correct horse battery"}


async def server(node: Journey) -> str:
    """The key of an app with a channel."""
    session = (await ask(node, "POST", "/api/accounts", ANN))["access_token"]
    app = (await ask(node, "POST", "/api/apps", {"name": "Shop"}, session))["id"]
    key: str = (await ask(node, "POST", f"/api/apps/{app}/keys", {}, session))["key"]
    await ask(node, "POST", "/api/channels", {"name": "news"}, key)
    return key


async def at_once(tries: list[tuple[Journey, dict[str, Any], str]]) -> Counter[int]:
    """How often each status came; every try is a node, a device and a code."""
    found: Counter[int] = Counter()

    async def one(node: Journey, device: dict[str, Any], code: str) -> None:
        headers = {"Authorization": f"Device {device['id']}.{device['secret']}"}
        path = f"/api/access_codes/{code}"
        found[(await node.client.post(path, json={}, headers=headers)).status_code] += 1

    async with trio.open_nursery() as nursery:
        for each in tries:
            nursery.start_soon(one, *each)
    return found


async def test_fifty_redeem_on_two_nodes_and_one_comes_in(
    tmp_path: Path, postgresql_url: str
) -> None:
    async with nodes(tmp_path, postgresql_url) as both:
        here = both[0]
        key = await server(here)
        phones = []
        for number in range(10):
            body = {"provider": "apns", "device_token": f"{number:064x}"}
            phones.append(await ask(here, "POST", "/api/devices", body))
        code = (await ask(here, "POST", "/api/access_codes", {"channels": ["news"]}, key))[
            "access_code"
        ]
        found = await at_once([(both[n % 2], phones[n % 10], code) for n in range(50)])
        # All come from this machine: what its address may guess is one budget for both nodes.
        heard = SOURCE_GUESSES // 2
        assert found == {200: 1, 404: heard, 429: 49 - heard}
        (kept,) = (await ask(both[1], "GET", "/api/access_codes", bearer=key))["data"]
        assert kept["state"] == "used"
        (member,) = (await ask(both[1], "GET", "/api/devices", bearer=key))["data"]
        assert member["id"] == kept["device_id"]
