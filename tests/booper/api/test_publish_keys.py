"""Publish keys: whoever made a public channel says who speaks in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from msgspec import structs

from tests.booper.api.door import door, problem
from tests.booper.api.tenant import tenant
from tests.booper.api.test_apps import Person
from tests.booper.api.test_channels import MANY, held
from tests.booper.store.seeds import rows

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.booper.api.door import Door

PATH = "/api/channels/ops/publish_key"


async def said(house: Door, who: Person | None = None, **more: object) -> httpx.Response:
    body = {"channel": "ops", "title": "t", **more}
    if who is None:
        return await house.post("/api/notify", body)
    return await who.ask("POST", "/api/notify", body)


async def test_a_key_from_first_to_last(tmp_path: Path) -> None:
    async with door(tmp_path, settings=MANY) as house:
        made, holder = await held(house)
        assert (await said(house)).status_code == 202
        key = (await holder.ask("POST", PATH)).json()
        assert key["key"].startswith(f"{key['prefix']}_")
        assert key["prefix"].startswith("bpp_")
        assert key["key"].split("_")[2] not in repr(
            await rows(house.database, "SELECT * FROM channels")
        )
        assert (await house.client.get("/api/channels/ops")).json()["publish_key"] is True
        publisher = Person(house, key["key"])
        for who in (publisher, holder):
            assert (await said(house, who)).status_code == 202
        by_id = await said(house, publisher, channel=made["id"])
        assert by_id.status_code == 202
        problem(await said(house), 401, "publish_key_required")
        problem(await said(house, channel=made["id"]), 401, "publish_key_required")
        wrong = Person(house, key["key"][:-1] + ("a" if key["key"][-1] != "a" else "b"))
        problem(await said(house, wrong), 401, "invalid_credential")
        # Another key in its place: the one before is void at once.
        renewed = Person(house, (await holder.ask("POST", PATH)).json()["key"])
        problem(await said(house, publisher), 401, "invalid_credential")
        assert (await said(house, renewed)).status_code == 202
        assert (await holder.ask("DELETE", PATH)).status_code == 204
        problem(await said(house, renewed), 401, "invalid_credential")
        assert (await said(house)).status_code == 202


async def test_a_key_is_good_for_its_channel_and_for_nothing_else(tmp_path: Path) -> None:
    async with door(tmp_path, settings=MANY) as house:
        made, holder = await held(house, publish_key=True)
        publisher = Person(house, made["key"])
        assert (await said(house, publisher)).status_code == 202
        other_made, other = await held(house, "other", publish_key=True)
        await held(house, "open")
        third = Person(house, other_made["key"])
        for body in ({"channel": "other"}, {"channel": "open"}):
            problem(await said(house, publisher, **body), 403, "wrong_publish_key")
        both = {"channels": ["ops", "other"], "title": "t"}
        problem(await publisher.ask("POST", "/api/notify", both), 403, "wrong_publish_key")
        problem(await holder.ask("POST", "/api/notify", both), 403, "publish_key_required")
        open_too = {"channels": ["ops", "open"], "title": "t"}
        problem(await house.post("/api/notify", open_too), 401, "publish_key_required")
        problem(await third.ask("POST", "/api/notify", open_too), 403, "wrong_publish_key")
        problem(await publisher.ask("POST", PATH), 403, "wrong_caller")
        problem(await publisher.ask("PATCH", "/api/channels/ops", {}), 403, "wrong_caller")
        problem(await other.ask("POST", PATH), 403, "not_your_channel")
        problem(await other.ask("DELETE", PATH), 403, "not_your_channel")
        problem(await house.client.post(PATH), 401, "unauthenticated")


async def test_in_a_batch_each_is_asked_for_its_key(tmp_path: Path) -> None:
    async with door(tmp_path, settings=MANY) as house:
        made, _ = await held(house, publish_key=True)
        await held(house, "open")
        items = [{"channel": name, "title": "t"} for name in ("ops", "open", "ops")]
        told = (await house.post("/api/notifications/batch", items)).json()
        assert [one["status"] for one in told] == [401, 202, 401]
        assert told[0]["problem"]["code"] == "publish_key_required"
        publisher = Person(house, made["key"])
        told = (await publisher.ask("POST", "/api/notifications/batch", items)).json()
        assert [one["status"] for one in told] == [202, 403, 202]


async def test_who_speaks_at_the_same_moment_as_a_keyholder_still_wants_a_key(
    tmp_path: Path,
) -> None:
    async with door(tmp_path, settings=MANY) as house:
        _, holder = await held(house)
        key = (await holder.ask("POST", PATH)).json()["key"]
        found: dict[bool, list[int]] = {True: [], False: []}

        async def speak(who: Person | None) -> None:
            found[who is not None].append((await said(house, who)).status_code)

        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(speak, Person(house, key) if number % 2 else None)
        assert found == {True: [202] * 20, False: [401] * 20}
        assert len(await rows(house.database, "SELECT id FROM notifications")) == 20


async def test_no_other_credential_opens_it(tmp_path: Path) -> None:
    async with door(tmp_path, settings=MANY) as house:
        _, holder = await held(house, publish_key=True)
        phone, ann = await house.registered(), await tenant(house)
        for who in (phone, ann.owner):
            body = {"channel": "ops", "title": "t"}
            answer = await who.ask("POST", "/api/notify", body)
            problem(answer, 403, "publish_key_required")
        problem(await ann.key.ask("POST", "/api/notify", {"channel": "ops", "title": "t"}), 404,
                "unknown_channel")  # fmt: skip
        key = {"Idempotency_Key": "k"}
        answer = await house.post("/api/notify", {"channel": "ops", "title": "t"}, headers={
            "Idempotency-Key": "k"})  # fmt: skip
        problem(answer, 401, "publish_key_required")
        answer = await holder.ask("POST", "/api/notify", {"channel": "ops", "title": "t"}, **key)
        assert answer.status_code == 202
        assert "idempotent-replayed" not in answer.headers


async def test_a_key_of_a_state_that_has_passed_is_not_made(tmp_path: Path) -> None:
    async with door(tmp_path, settings=MANY) as house:
        _, holder = await held(house)
        tag = (await holder.ask("GET", "/api/channels/ops")).headers["etag"]
        assert (await holder.ask("POST", PATH, If_Match=tag)).status_code == 201
        problem(await holder.ask("POST", PATH, If_Match=tag), 412, "stale")
        problem(await holder.ask("DELETE", PATH, If_Match=tag), 412, "stale")
        missing = await holder.ask("POST", "/api/channels/none/publish_key")
        problem(missing, 404, "unknown_channel")


async def test_an_operator_may_lock_and_open_any_public_channel(tmp_path: Path) -> None:
    async with door(tmp_path, settings=structs.replace(MANY, admin_key="hush")) as house:
        await held(house)
        operator, ann = Person(house, "hush"), await tenant(house)
        made = await operator.ask("POST", PATH)
        assert made.status_code == 201
        assert (await said(house, Person(house, made.json()["key"]))).status_code == 202
        assert (await said(house, operator)).status_code == 202
        body = {"name": "news", "app_id": ann.app}
        room = (await operator.ask("POST", "/api/channels", body)).json()["id"]
        answer = await operator.ask("POST", f"/api/channels/{room}/publish_key")
        problem(answer, 404, "unknown_channel")
        assert (await operator.ask("DELETE", PATH)).status_code == 204
        assert (await operator.ask("DELETE", "/api/channels/ops")).status_code == 204
