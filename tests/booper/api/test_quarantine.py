"""The operator's view of deaths that were not believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from booper.domain.brake import Alarm
from booper.domain.delivery import settle
from booper.domain.outcome import Kind, Outcome
from booper.domain.wanted import Wanted
from booper.store import instances, settlements
from tests.booper.api.door import Door, NoDatabase, door, problem
from tests.booper.store.seeds import NOW, audience, claim, expand_all

if TYPE_CHECKING:
    from pathlib import Path

FOREIGN = Outcome(Kind.GONE, 400, "BadDeviceToken")
KEY = "hush"
PLACE = "/api/admin/instances/main/quarantine"


def operator(house: Door) -> None:
    """From here on the operator asks."""
    house.client.headers["Authorization"] = f"Bearer {KEY}"


async def wave(house: Door, size: int = 5) -> None:
    """Devices of `main` that died all at once."""
    main = Wanted("main", "", "main", "apns", "api", 1, 1, 1, NOW, "test")
    await house.database.write(instances.insert, main)
    await audience(house.database, size)
    await expand_all(house.database)
    (batch,) = await claim(house.database)
    done = settle(batch, [FOREIGN] * size, now=NOW, dice=0.5)
    done = msgspec.structs.replace(done, alarm=Alarm(size, size, mixed_up=True, before=()))
    await house.database.write(settlements.settle, [done], NOW)


async def test_what_is_in_quarantine_is_shown_page_by_page(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key=KEY) as house:
        operator(house)
        await wave(house)
        brake = {"since": "2027-01-15T08:00:00.000Z", "paused": True, "dead": 5, "judged": 5}
        answer = await house.client.get("/api/admin/quarantine")
        assert answer.json() == {"instances": {"main": {"brake": brake, "devices": 5}}}
        seen: list[dict[str, str]] = []
        after: int | None = 0
        for size in (2, 2, 1):
            page = (await house.client.get(PLACE, params={"after": after, "limit": 2})).json()
            assert (page["brake"], len(page["devices"])) == (brake, size)
            seen += page["devices"]
            after = page.get("next")
        assert after is None
        assert [item["device_id"] for item in seen] == [f"device-{n}" for n in range(5)]
        assert {(item["notification_id"], item["reason"]) for item in seen} == {
            ("n1", "BadDeviceToken")
        }


@pytest.mark.parametrize("verb", ["confirm", "undo"])
async def test_once_decided_nothing_is_left(tmp_path: Path, verb: str) -> None:
    async with door(tmp_path, admin_key=KEY) as house:
        operator(house)
        await wave(house)
        assert (await house.post(f"{PLACE}/{verb}")).json() == {"devices": 5}
        assert (await house.post(f"{PLACE}/{verb}")).json() == {"devices": 0}
        verbs = {"confirm": "quarantine_confirmed", "undo": "quarantine_undone"}
        (line,) = (await house.client.get("/api/admin/instances/main/audit")).json()["audit"]
        assert (line["verb"], line["who"], line["detail"]) == (verbs[verb], "operator", "5 devices")
        page = (await house.client.get(PLACE)).json()
        assert page == {"brake": None, "devices": []}
        assert (await house.client.get("/api/admin/quarantine")).json() == {"instances": {}}


async def test_an_instance_there_never_was_is_not_found(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key=KEY) as house:
        operator(house)
        for name in ("nobody", "%00", "x" * 201, "main%20"):
            place = f"/api/admin/instances/{name}/quarantine"
            answers = [await house.client.get(place)]
            answers += [await house.post(f"{place}/{verb}") for verb in ("confirm", "undo")]
            assert {answer.status_code for answer in answers} == {404}
        problem(await house.client.get("/api/admin/instances/nobody/quarantine"), 404,
                "unknown_instance")  # fmt: skip


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", f"after={2**64}", "limit=0", "limit=101", "x=1"]
)
async def test_junk_in_the_query_is_refused(tmp_path: Path, query: str) -> None:
    async with door(tmp_path, admin_key=KEY) as house:
        operator(house)
        assert (await house.client.get(f"{PLACE}?{query}")).status_code in (400, 422)


async def test_it_is_for_operators_only_and_says_when_the_store_is_away(tmp_path: Path) -> None:
    async with door(tmp_path, caller="10.0.0.1") as house:
        problem(await house.client.get(PLACE), 401, "unauthenticated")
        problem(await house.post(f"{PLACE}/undo"), 401, "unauthenticated")
    async with door(tmp_path, database=NoDatabase(), admin_key=KEY) as house:
        operator(house)
        problem(await house.client.get("/api/admin/quarantine"), 503, "store_unavailable")
        problem(await house.post(f"{PLACE}/undo"), 503, "store_unavailable")
