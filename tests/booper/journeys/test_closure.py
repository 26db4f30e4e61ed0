"""An app is deleted while its notifications wait: not one of them goes out, through nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.ports import Sql
from booper.simulators.apns import generate_key
from booper.workers import names
from tests.booper.journeys.house import device_token, journey

if TYPE_CHECKING:
    from pathlib import Path

    from booper.ports import Row, Tx
    from tests.booper.journeys.house import Journey

pytestmark = pytest.mark.real


async def ask(house: Journey, method: str, path: str, body: Any = None, by: str = "") -> Any:
    head = {"Authorization": f"Bearer {by}"} if by else {}
    answer = await house.client.request(method, path, json=body, headers=head)
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


async def rows(house: Journey, sql: str) -> list[Row]:
    async def work(tx: Tx) -> list[Row]:
        return await tx.fetch(Sql(sql))

    return await house.booper.ports.database.read(work)


async def test_nothing_is_sent_after_the_deletion(tmp_path: Path) -> None:
    async with journey(tmp_path) as house:
        person = {"email": "ann@a.example", "password": "correct horse battery"}
        ann = (await ask(house, "POST", "/api/accounts", person))["access_token"]
        app = (await ask(house, "POST", "/api/apps", {"name": "Shop"}, ann))["id"]
        key = (await ask(house, "POST", f"/api/apps/{app}/keys", {}, ann))["key"]
        table = {"key_id": "KEY1234567", "team_id": "TEAM123456", "topic": "com.example.app"}
        table["private_key"] = generate_key().private_key_pem
        body = {"name": "own", "provider": "apns", "settings": table, "enabled": False}
        await ask(house, "POST", f"/api/apps/{app}/instances", body, ann)
        for number in range(3):
            device = {"provider": "apns", "device_token": device_token(number)}
            await ask(house, "POST", "/api/devices", device, key)
        for _ in range(4):
            await ask(house, "POST", "/api/notify", {"everyone": True, "title": "x"}, key)
        with trio.fail_after(30):
            while await rows(house, "SELECT count(*) FROM batches") != [(4,)]:
                await trio.sleep(0.02)
        own = names.instance(f"{app}/own")
        assert own in house.booper.registry.mailboxes
        await ask(house, "DELETE", f"/api/apps/{app}", by=ann)
        assert await rows(house, "SELECT key FROM instances") == [("apns",)]
        assert await rows(house, "SELECT instance FROM instance_generations") == [("apns",)]
        with trio.fail_after(30):  # they take the operator's way, and end there
            while await rows(house, "SELECT count(*) FROM batches") != [(0,)]:
                await trio.sleep(0.05)
            while own in house.booper.registry.mailboxes:
                await trio.sleep(0.05)
        assert len(house.apple.ledger) == 0
        assert await rows(house, "SELECT DISTINCT state, failed FROM notifications") == [
            ("done", 3)
        ]
        reasons = await rows(house, "SELECT DISTINCT outcome, reason FROM every_delivery")
        assert reasons == [("failed", "its app was deleted")]
