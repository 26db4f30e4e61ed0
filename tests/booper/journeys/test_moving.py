"""An installation moves from SQLite to PostgreSQL: who was known still is, what waited goes out."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from booper import wiring
from booper.cli.database import copy
from booper.settings import Delivery, Http, Public, Settings
from booper.simulators.apns import Account, ApnsSimulator, generate_key
from tests.booper.journeys.house import Journey, device_token, instance_table
from tests.booper.journeys.nodes import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.real


@asynccontextmanager
async def life(apple: ApnsSimulator, database: str, **more: Any) -> AsyncIterator[Journey]:
    """One life of Booper on that database, with no instance in its settings."""
    settings = Settings(
        database=database,
        shutdown=5.0,
        http=Http(port=0),
        public=Public(per_address=0, per_channel=0, changes_per_address=0),
        delivery=Delivery(tick=0.1),
        **more,
    )
    async with trio.open_nursery() as nursery:
        booper: wiring.Booper = await nursery.start(partial(wiring.run, settings))
        async with httpx.AsyncClient(base_url=booper.url, timeout=20) as client:
            yield Journey(booper, apple, client)
        booper.stop()


async def ask(client: httpx.AsyncClient, bearer: str, method: str, path: str, body: Any) -> Any:
    answer = await client.request(
        method, path, json=body, headers={"Authorization": f"Bearer {bearer}"}
    )
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def test_a_whole_installation_moves_and_sends_on(
    tmp_path: Path, postgresql_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "booper.sqlite3"
    key, apple = generate_key(), ApnsSimulator(Account())
    apple.account.add_key(key.team_key)
    async with trio.open_nursery() as nursery:
        await nursery.start(apple.serve)
        async with life(apple, f"sqlite:{file}") as before:
            client = before.client
            person = {"email": "ann@a.example", "password": "correct horse battery"}
            session = (await client.post("/api/accounts", json=person)).json()["access_token"]
            app = (await ask(client, session, "POST", "/api/apps", {"name": "Shop"}))["id"]
            made = await ask(client, session, "POST", f"/api/apps/{app}/keys", {})
            table = instance_table(apple, key, tmp_path / "ca.pem")
            provider = table.pop("provider")
            own = {"name": "main", "provider": provider, "settings": table}
            answer = await client.post("/api/admin/instances", json=own)
            assert answer.status_code == 201, answer.text
            phone = {"provider": "apns", "device_token": device_token(1)}
            device = await ask(client, made["key"], "POST", "/api/devices", phone)
            done = await ask(client, made["key"], "POST", "/api/notify", _hello("first"))
            await until(partial(_accepted, client, made["key"], done["id"], 1))
            await client.post("/api/admin/instances/main/stop")
            waits = await ask(client, made["key"], "POST", "/api/notify", _hello("second"))

        await trio.to_thread.run_sync(partial(copy, f"sqlite:{file}", postgresql_url, as_json=True))
        rows = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (rows["devices"], rows["apps"], rows["notifications"]) == (1, 1, 2)

        keys = json.loads(file.with_name(file.name + ".keys").read_text())
        async with life(apple, postgresql_url, keys=keys) as after:
            client = after.client
            apps = (await ask(client, session, "GET", "/api/apps", None))["data"]
            assert [one["id"] for one in apps] == [app]
            assert await _accepted(client, made["key"], done["id"], 1)
            await client.post("/api/admin/instances/main/start?wait=applied")
            await until(partial(_accepted, client, made["key"], waits["id"], 1))
            third = await ask(client, made["key"], "POST", "/api/notify", _hello("third"))
            await until(partial(_accepted, client, made["key"], third["id"], 1))
            proof = {"Authorization": f"Device {device['id']}.{device['secret']}"}
            answer = await client.get(f"/api/devices/{device['id']}", headers=proof)
            assert answer.status_code == 200, answer.text
        assert apple.ledger.summary().accepted == 3
        nursery.cancel_scope.cancel()


def _hello(title: str) -> dict[str, Any]:
    return {"everyone": True, "title": title}


async def _accepted(client: httpx.AsyncClient, key: str, own: str, count: int) -> bool:
    shown = await ask(client, key, "GET", f"/api/notifications/{own}", None)
    return bool(shown["counts"]["accepted"] == count)
