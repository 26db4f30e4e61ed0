"""Provider instances while all runs: made, changed under load, put back, disabled, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.simulators.apns import SigningKey, generate_key
from tests.booper.journeys.house import device_token, instance_table, journey

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.booper.journeys.house import Journey

pytestmark = pytest.mark.real
HERE = "/api/admin/instances"


def settings(house: Journey, folder: Path, key: SigningKey) -> dict[str, Any]:
    """What points an instance at the simulator, with that key."""
    table = instance_table(house.apple, key, folder / "ca.pem")
    del table["provider"]
    return table


def new_key(house: Journey, number: int, *, known: bool = True) -> SigningKey:
    """Another key, known to the simulated Apple or not."""
    key = generate_key(key_id=f"KEY{number:07d}")
    if known:
        house.apple.account.add_key(key.team_key)
    return key


def credential(key: SigningKey) -> dict[str, Any]:
    return {"key_id": key.team_key.key_id, "private_key": key.private_key_pem}


async def made(house: Journey, folder: Path, name: str = "main", **more: Any) -> dict[str, Any]:
    """A new instance with a good key, running."""
    body = {
        "name": name,
        "provider": "apns",
        "settings": settings(house, folder, new_key(house, 1)),
        **more,
    }
    answer = await house.client.post(f"{HERE}?wait=applied", json=body)
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def post(house: Journey, path: str, body: object = None, **more: Any) -> dict[str, Any]:
    answer = await house.client.post(f"{HERE}{path}", json=body, **more)
    assert answer.status_code < 300, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def show(house: Journey, name: str = "main") -> dict[str, Any]:
    found: dict[str, Any] = (await house.client.get(f"{HERE}/{name}")).json()
    return found


async def push(house: Journey, device: int = 0, name: str = "main") -> dict[str, Any]:
    body = {"device_token": device_token(device), "title": "Hello"}
    return await post(house, f"/{name}/push", body)


async def until(house: Journey, name: str = "main", **fields: Any) -> dict[str, Any]:
    """The instance as soon as it shows these values."""
    with trio.fail_after(20):
        while True:
            shown = await show(house, name)
            if all(shown[key] == value for key, value in fields.items()):
                return shown
            await trio.sleep(0.01)


def is_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text


async def test_an_instance_is_made_at_run_time_and_sends(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        shown = await made(house, tmp_path)
        assert (shown["state"], shown["generation"], shown["applied"]) == ("enabled", 1, True)
        assert "private_key" not in shown["settings"]
        assert shown["settings"]["has_private_key"] is True
        assert len(shown["fingerprint"]) == 16
        assert (await push(house))["outcome"] == "accepted"
        await house.register(3)
        assert (await house.done(await house.notify()))["counts"]["accepted"] == 3


async def test_a_new_key_takes_over_and_the_old_connection_goes(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        assert (await push(house))["outcome"] == "accepted"
        old = await show(house)
        key = new_key(house, 2)
        answer = await house.client.patch(
            f"{HERE}/main?wait=applied", json={"settings": credential(key)}
        )
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        assert (shown["applied"], shown["generation"], shown["rotation"]) == (True, 2, "proving")
        assert shown["fingerprint"] != old["fingerprint"]
        house.apple.account.revoke_key("KEY0000001")
        assert (await push(house, 1))["outcome"] == "accepted", "by the new key"
        shown = await until(house, rotation=None, serving=2)
        assert house.apple.ledger.summary().duplicates == 0


async def test_w3_a_refused_key_puts_the_old_one_back_and_nothing_is_lost(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        await house.register(10)
        assert (await house.done(await house.notify()))["counts"]["accepted"] == 10
        unknown = new_key(house, 3, known=False)
        await house.client.patch(
            f"{HERE}/main?wait=applied", json={"settings": credential(unknown)}
        )
        shown = await house.done(await house.notify())
        assert shown["counts"]["accepted"] == 10, "by the old key, at once"
        assert shown["retried"] == 0
        shown = await until(house, rotation="rotation_failed")
        assert "InvalidProviderToken" in shown["rotation_words"]
        assert (shown["serving"], shown["standing"]["state"]) == (1, "ready")
        assert (await push(house))["outcome"] == "accepted"

        # An operator decides: Apple knows the key by now.
        house.apple.account.add_key(unknown.team_key)
        shown = await post(house, "/main/rotation/retry?wait=applied")
        assert (shown["generation"], shown["rotation"]) == (3, "proving")
        assert (await push(house))["outcome"] == "accepted"
        await until(house, rotation=None, serving=3)
        answer = await house.client.post(f"{HERE}/main/rotation/undo")
        is_problem(answer, 409, "no_rotation")


async def test_w4_disabled_stays_disabled_through_reconfigure_crash_and_restart(
    tmp_path: Path,
) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        await house.register(2)
        await post(house, "/main/disable")
        answer = await house.client.post(
            f"{HERE}/main/push", json={"device_token": device_token(0), "title": "x"}
        )
        is_problem(answer, 409, "instance_disabled")
        own = await house.notify()
        body = {"settings": credential(new_key(house, 2))}
        await house.client.patch(f"{HERE}/main?wait=applied", json=body)
        for verb in ("stop", "start"):
            shown = await post(house, f"/main/{verb}?wait=applied")
        assert shown["state"] == "disabled"
        await trio.sleep(0.5)
        assert (await house.progress(own))["pending"] == 2, "kept, not lost"
    async with journey(tmp_path, instances=(), apple=house.apple) as again:
        assert (await show(again))["state"] == "disabled"
        assert (await again.progress(own))["pending"] in (0, 2)
        body = {"settings": {"url": again.apple.url, "ca_file": str(tmp_path / "ca.pem")}}
        await again.client.patch(f"{HERE}/main", json=body)
        await post(again, "/main/enable")
        assert (await again.done(own))["counts"]["accepted"] == 2


async def test_a_stopped_instance_releases_everything_and_comes_back(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        assert (await push(house))["outcome"] == "accepted"
        await post(house, "/main/stop?wait=applied")
        shown = await until(house, standing=None)
        assert shown["state"] == "stopped"
        answer = await house.client.post(
            f"{HERE}/main/push", json={"device_token": device_token(0), "title": "x"}
        )
        is_problem(answer, 409, "instance_stopped")
        tree = await house.tree()
        assert "worker:instance/main" not in tree
        await post(house, "/main/start?wait=applied")
        assert (await push(house, 1))["outcome"] == "accepted"


async def test_reconnect_makes_new_connections_and_loses_nothing(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        await house.register(50)
        own = [await house.notify() for _ in range(4)]
        for _ in range(3):
            await post(house, "/main/reconnect?wait=applied")
        for one in own:
            assert (await house.done(one))["counts"]["accepted"] == 50
        assert house.apple.ledger.summary().duplicates == 0
        assert (await show(house))["generation"] == 1, "the same credential"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"private_key": "junk"}, 422, "invalid_key"),
        ({"private_key": None}, 422, "missing_settings"),
        ({"topic": "spaces are not"}, 422, "invalid_settings"),
        ({"nonsense": 1}, 422, "invalid_settings"),
        ({"url": "http://localhost"}, 422, "invalid_url"),
        ({"private_key_file": "/nowhere"}, 422, "two_sources"),
    ],
)
async def test_w16_what_cannot_be_used_is_refused_and_nothing_starts(
    tmp_path: Path, change: dict[str, Any], status: int, code: str
) -> None:
    async with journey(tmp_path, instances=()) as house:
        table = settings(house, tmp_path, new_key(house, 1))
        body = {"name": "main", "provider": "apns", "settings": {**table, **change}}
        is_problem(await house.client.post(HERE, json=body), status, code)
        assert (await house.client.get(f"{HERE}/main")).status_code == 404
        assert "worker:instance/main" not in await house.tree()
