"""kill -9 and restart bring back exactly what was acknowledged; thousands that idle cost little."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from booper.clock import SystemClock, entropy
from booper.domain.wanted import Wanted
from booper.providers.provider import StampCodec
from booper.seal import KeyRing, key_file
from booper.simulators.apart import simulated_apple
from booper.simulators.apns import generate_key
from booper.store import instances
from booper.store.sqlite import open_sqlite
from booper.workers.safe import Safe
from tests.booper.journeys.house import device_token, journey
from tests.booper.journeys.processes import config, served
from tests.booper.journeys.test_crash import Fragile, Watching
from tests.booper.journeys.test_instances import HERE, made, post, push, show, until

if TYPE_CHECKING:
    from pathlib import Path

    from booper.ports import Tx
    from booper.providers.provider import Codec

pytestmark = pytest.mark.real
KEPT = ("state", "generation", "serving", "version", "rotation", "fingerprint", "settings")


def settings() -> dict[str, Any]:
    key = generate_key()
    return {
        "key_id": key.team_key.key_id,
        "team_id": key.team_key.team_id,
        "topic": "com.example.app",
        "private_key": key.private_key_pem,
    }


@pytest.mark.slow
@pytest.mark.parametrize("changes", [5, 29])
async def test_kill_9_brings_back_exactly_what_was_acknowledged(
    tmp_path: Path, changes: int
) -> None:
    names = ["a", "b", "c", "d"]
    acknowledged: dict[str, dict[str, Any]] = {}
    async with simulated_apple(tmp_path) as apple:
        path = config(tmp_path, apple)
        async with served(path) as first, httpx.AsyncClient(base_url=first.url) as client:
            done = 0

            async def keep_changing(name: str) -> None:
                """One change after another, each noted when it is answered, until the kill."""
                nonlocal done
                turn = 0
                body = {"name": name, "provider": "apns", "settings": settings()}
                answer = await client.post(HERE, json=body)
                with suppress(httpx.TransportError):
                    while True:
                        assert answer.status_code < 300, answer.text
                        acknowledged[name] = answer.json()
                        done += 1
                        if done == changes:
                            first.process.kill()
                        turn += 1
                        if turn % 3 == 0:
                            change = {"settings": settings()}
                            answer = await client.patch(f"{HERE}/{name}", json=change)
                        else:
                            verb = ("disable", "stop", "enable", "start")[turn % 4]
                            answer = await client.post(f"{HERE}/{name}/{verb}")

            async with trio.open_nursery() as nursery:
                for name in names:
                    nursery.start_soon(keep_changing, name)
            await first.process.wait()
        async with served(path) as second, httpx.AsyncClient(base_url=second.url) as client:
            listed = (await client.get(HERE)).json()["instances"]
            assert sorted(one["name"] for one in listed) == sorted(["apns", *acknowledged])
            for name, before in acknowledged.items():
                after = (await client.get(f"{HERE}/{name}")).json()
                # What was under way at the kill may be written, nothing more, and nothing less.
                assert after["version"] - before["version"] in (0, 1)
                if after["version"] == before["version"]:
                    assert {k: after[k] for k in KEPT} == {k: before[k] for k in KEPT}
                lines = (await client.get(f"{HERE}/{name}/audit")).json()["audit"]
                assert lines[0]["version"] == after["version"], "and each change has its line"
                running = {"stopped"} != {after["state"]}
                with trio.fail_after(10):
                    while ((await client.get(f"{HERE}/{name}")).json()["standing"] is None) is (
                        running
                    ):
                        await trio.sleep(0.02)
            assert await second.end() == 0


async def test_w4_disabled_stays_disabled_through_a_crash(tmp_path: Path) -> None:
    def fragile(_: str, codec: Codec) -> Codec:
        assert isinstance(codec, StampCodec)
        return Fragile(codec)

    async with journey(tmp_path, instances=(), wrap=fragile) as house:
        await made(house, tmp_path)
        boom = {"device_token": device_token(0), "title": "boom"}
        answer = await house.client.post(f"{HERE}/main/push", json=boom)
        assert answer.status_code == 503, "it crashed in our hands"
        await post(house, "/main/disable")
        with trio.fail_after(20):
            while (await show(house))["standing"] is None:
                await trio.sleep(0.02)
        tree = await house.tree()
        assert tree["worker:instance/main"]["restarts"] >= 1
        answer = await house.client.post(f"{HERE}/main/push", json=boom)
        assert answer.json()["code"] == "instance_disabled"
        await post(house, "/main/enable")
        await until(house, state="enabled")
        assert (await push(house))["outcome"] == "accepted"


@pytest.mark.slow
async def test_two_thousand_that_idle_open_nothing(tmp_path: Path) -> None:
    count = 2000
    file = tmp_path / "booper.sqlite3"
    seal = KeyRing(key_file(tmp_path / "booper.sqlite3.keys", entropy), entropy)
    safe, table = Safe(seal, SystemClock()), settings()

    async def fill(tx: Tx) -> None:
        for number in range(count):
            name = f"i{number}"
            wanted = Wanted(name, "", name, "apns", "api", 1, 1, 1, 0.0, "test")
            await instances.insert(tx, wanted)
            await instances.keep(tx, name, safe.sealed(wanted, table))

    async with open_sqlite(file) as database:
        await database.write(fill)
    transport = Watching()
    async with journey(tmp_path, instances=(), transport=transport) as house:
        with trio.fail_after(60):
            while (await show(house, f"i{count - 1}"))["standing"] is None:
                await trio.sleep(0.05)
        listed = (await house.client.get(f"{HERE}?limit=100&after=i1")).json()
        assert len(listed["instances"]) == 100
        assert transport.pools == [], "not a connection, not even a pool"
        answer = await house.client.post(
            f"{HERE}/i7/push", json={"device_token": device_token(0), "title": "x"}
        )
        assert answer.status_code == 200, "Apple does not know this key, but it was asked"
        assert len(transport.pools) == 1
