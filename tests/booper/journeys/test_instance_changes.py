"""Changes of instances that go well, badly, all at once, and through restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from tests.booper.journeys.house import device_token, instance_table, journey
from tests.booper.journeys.test_instances import (
    HERE,
    credential,
    is_problem,
    made,
    new_key,
    post,
    push,
    settings,
    show,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real


async def test_w14_fifty_changes_at_once_are_all_kept(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        statuses: list[int] = []

        async def one(number: int) -> None:
            patch = {"max_in_flight": number} if number % 2 else {"rate": float(number)}
            answer = await house.client.patch(f"{HERE}/main", json={"settings": patch})
            statuses.append(answer.status_code)

        async with trio.open_nursery() as nursery:
            for number in range(1, 51):
                nursery.start_soon(one, number)
        assert statuses == [200] * 50
        shown = await show(house)
        assert (shown["version"], shown["generation"]) == (51, 51)
        lines = (await house.client.get(f"{HERE}/main/audit")).json()["audit"]
        assert [line["version"] for line in lines] == list(range(51, 0, -1))
        assert {"max_in_flight", "rate"} <= shown["settings"].keys(), "neither kind was lost"
        assert (await push(house))["outcome"] == "accepted"


async def test_a_change_may_depend_on_what_was_seen(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        answer = await house.client.get(f"{HERE}/main")
        tag = {"If-Match": answer.headers["ETag"]}
        body = {"settings": {"rate": 5.0}}
        assert (await house.client.patch(f"{HERE}/main", json=body, headers=tag)).status_code == 200
        is_problem(await house.client.patch(f"{HERE}/main", json=body, headers=tag), 412, "stale")
        is_problem(await house.client.delete(f"{HERE}/main", headers=tag), 412, "stale")


async def test_the_same_settings_are_no_change(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        before = await show(house)
        body = {"settings": credential(new_key(house, 1))}
        del body["settings"]["private_key"]
        await house.client.patch(f"{HERE}/main", json=body)
        after = await show(house)
        assert (after["version"], after["generation"]) == (before["version"], 1)


async def test_a_canary_is_promoted_after_enough_were_accepted(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        await push(house)
        body = {"settings": credential(new_key(house, 2)), "canary": 0.5}
        answer = await house.client.patch(f"{HERE}/main?wait=applied", json=body)
        assert answer.json()["rotation"] == "canary"
        for number in range(400):
            assert (await push(house, number))["outcome"] == "accepted"
            if number % 10 == 9 and (await show(house))["rotation"] is None:
                break
        shown = await show(house)
        assert (shown["rotation"], shown["serving"]) == (None, 2)
        by_key = house.apple.ledger.by_instance()
        assert by_key["TEAM123456/KEY0000001/com.example.app"] > 10, "the old key had its share"
        assert by_key["TEAM123456/KEY0000002/com.example.app"] >= 50


async def test_a_canary_that_is_refused_costs_nothing(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        body = {"settings": credential(new_key(house, 2, known=False)), "canary": 0.5}
        await house.client.patch(f"{HERE}/main?wait=applied", json=body)
        for number in range(30):
            assert (await push(house, number))["outcome"] == "accepted"
        await until(house, rotation="rotation_failed", serving=1)
        await post(house, "/main/rotation/undo")
        assert (await show(house))["rotation"] is None


async def test_settings_that_cannot_be_connected_are_never_swapped_in(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        assert (await push(house))["outcome"] == "accepted"
        body = {"settings": {"url": "https://localhost:1"}}
        await house.client.patch(f"{HERE}/main", json=body)
        assert (await push(house, 1))["outcome"] == "accepted", "while it is tried"
        shown = await until(house, rotation="rotation_failed")
        assert "connect_failed" in shown["rotation_words"]
        assert (await push(house, 2))["outcome"] == "accepted"


async def test_verify_asks_the_provider_before_anything_changes(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        body = {"settings": credential(new_key(house, 2, known=False)), "verify": True}
        answer = await house.client.patch(f"{HERE}/main", json=body)
        is_problem(answer, 422, "credential_refused")
        assert (await show(house))["generation"] == 1
        table = settings(house, tmp_path, new_key(house, 3, known=False))
        new = {"name": "other", "provider": "apns", "settings": table, "verify": True}
        is_problem(await house.client.post(HERE, json=new), 422, "credential_refused")
        new["settings"] = {**table, "url": "https://localhost:1"}
        is_problem(await house.client.post(HERE, json=new), 503, "provider_unreachable")
        assert (await post(house, "/main/verify"))["good"] is True
        body["settings"] = credential(new_key(house, 4))
        assert (await house.client.patch(f"{HERE}/main", json=body)).status_code == 200
        assert house.apple.ledger.summary().accepted == 0, "trying reaches nobody"


async def test_a_batch_has_one_result_per_input_in_order(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        house.apple.account.unregister(device_token(1), 1)
        tokens = [device_token(0), "no device token", device_token(1), device_token(2)]
        found = await post(house, "/main/push/batch", {"device_tokens": tokens, "title": "x"})
        assert [(one["outcome"], one["reason"]) for one in found["results"]] == [
            ("accepted", ""),
            ("failed", "invalid_device_token"),
            ("gone", "Unregistered"),
            ("accepted", ""),
        ]


async def test_instances_of_the_settings_file_are_changed_there(tmp_path: Path) -> None:
    async with journey(tmp_path) as house:
        shown = await show(house, "apns")
        assert (shown["origin"], shown["generation"]) == ("configuration", 1)
        answer = await house.client.patch(f"{HERE}/apns", json={"settings": {"rate": 1.0}})
        is_problem(answer, 409, "from_configuration")
        is_problem(await house.client.delete(f"{HERE}/apns"), 409, "from_configuration")
        await post(house, "/apns/disable?wait=applied")
    async with journey(tmp_path) as again:  # another key, another port
        shown = await show(again, "apns")
        assert (shown["state"], shown["generation"]) == ("disabled", 2)
        await post(again, "/apns/enable?wait=applied")
        assert (await push(again, name="apns"))["outcome"] == "accepted"
    async with journey(tmp_path, instances=()) as without:
        assert (await without.client.get(f"{HERE}/apns")).status_code == 404
        lines = (await without.client.get(f"{HERE}/apns/audit")).json()["audit"]
        assert [line["verb"] for line in lines] == [
            "delete",
            "rotation_done",
            "enable",
            "reconfigure",
            "disable",
            "create",
        ]


async def test_a_deleted_name_may_be_given_again(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        await made(house, tmp_path)
        assert (await push(house))["outcome"] == "accepted"
        assert (await house.client.delete(f"{HERE}/main")).status_code == 204
        is_problem(await house.client.get(f"{HERE}/main"), 404, "unknown_instance")
        table = instance_table(house.apple, new_key(house, 2), tmp_path / "ca.pem")
        del table["provider"]
        body = {"name": "main", "provider": "apns", "settings": table}
        shown = await post(house, "?wait=applied", body)
        assert shown["generation"] == 2, "numbers are never used again"
        with trio.fail_after(10):
            while (await show(house))["standing"] is None:
                await trio.sleep(0.01)
        assert (await push(house, 1))["outcome"] == "accepted"
        body["name"] = "apns"
        is_problem(await house.client.post(HERE, json=body), 422, "reserved_name")
        body["name"] = "main"
        is_problem(await house.client.post(HERE, json=body), 409, "instance_exists")


async def test_files_and_variables_of_the_server_are_the_operators(tmp_path: Path) -> None:
    async with journey(tmp_path, instances=()) as house:
        key = new_key(house, 1)
        file = tmp_path / "key.p8"
        file.write_text(key.private_key_pem)
        table = settings(house, tmp_path, key)
        del table["private_key"]
        body: dict[str, Any] = {"name": "main", "provider": "apns"}
        for extra, code in (
            ({"private_key_file": str(tmp_path)}, "unreadable_file"),
            ({"private_key_file": "/dev/zero"}, "unreadable_file"),
            ({"private_key_file": 5}, "invalid_settings"),
            ({"private_key_env": "NO_SUCH_VARIABLE"}, "missing_variable"),
            ({"private_key_env": "BOOPER_ADMIN_KEY"}, "missing_variable"),
        ):
            body["settings"] = {**table, **extra}
            is_problem(await house.client.post(HERE, json=body), 422, code)
        body["settings"] = {**table, "private_key_file": str(file)}
        await post(house, "?wait=applied", body)
        assert (await push(house))["outcome"] == "accepted"
