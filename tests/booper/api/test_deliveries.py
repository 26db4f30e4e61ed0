"""What became of every device, for whoever sent it: in the provider's own words, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain.delivery import Ended
from booper.domain.outcome import Kind, Outcome
from booper.ports import Sql
from booper.store import deliveries, devices
from tests.booper.api.door import HandClock, Phone, problem
from tests.booper.api.tenant import Tenant, tenanted

if TYPE_CHECKING:
    from pathlib import Path

    from booper.ports import Tx

_NUMBER = Sql("SELECT number FROM notifications WHERE id = ?")
WORDS = [
    Outcome(Kind.ACCEPTED, 200, "", provider_id="apns-1"),
    Outcome(Kind.GONE, 410, "Unregistered"),
    Outcome(Kind.FAILED, 400, "BadDeviceToken"),
]


async def settled(app: Tenant, own: str, outcomes: dict[str, Outcome]) -> None:
    """As if a provider had answered so."""

    async def work(tx: Tx) -> None:
        ((notification,),) = await tx.fetch(_NUMBER, own)
        finals = []
        for device, outcome in outcomes.items():
            number = await devices.find(tx, device)
            assert number is not None
            alike = (outcome.kind, outcome.status, outcome.reason, [number])
            ended = Ended(*alike, [outcome.provider_id])
            finals.append(deliveries.Final(notification, 2, ended))
        await deliveries.append(tx, finals, 1_800_000_000.0)

    await app.house.database.write(work)


async def test_each_device_s_outcome_is_told_to_its_sender(tmp_path: Path) -> None:
    async with tenanted(tmp_path, clock=HandClock(), admin_key="hush") as app:
        told = [await app.member(number) for number in range(3)]
        own = (await app.notify(everyone=True)).json()["id"]
        path = f"/api/notifications/{own}/deliveries"
        assert (await app.key.ask("GET", path)).json() == {"data": [], "next_cursor": None}
        await settled(app, own, dict(zip(told, WORDS, strict=True)))
        answer = await app.key.ask("GET", path)
        found = answer.json()["data"]
        assert [
            (one["device_id"], one["outcome"], one["status"], one["reason"], one["provider_id"])
            for one in found
        ] == [
            (device, word.kind.value, word.status, word.reason, word.provider_id)
            for device, word in zip(told, WORDS, strict=True)
        ]
        assert {(one["attempt"], one["finished_at"]) for one in found} == {
            (2, "2027-01-15T08:00:00.000Z")
        }
        first = (await app.owner.ask("GET", f"{path}?limit=2")).json()
        more = await app.owner.ask("GET", f"{path}?limit=2&cursor={first['next_cursor']}")
        assert first["data"] + more.json()["data"] == found
        assert more.json()["next_cursor"] is None
        admin = {"Authorization": "Bearer hush"}
        assert (await app.house.client.get(path, headers=admin)).json()["data"] == found
        problem(await app.house.client.get(path), 401, "unauthenticated")
        phone: Phone = await app.house.registered("cd" * 32)
        problem(await phone.ask("GET", path), 403, "wrong_caller")


async def test_what_was_said_to_the_public_tells_no_devices(tmp_path: Path) -> None:
    async with tenanted(tmp_path, admin_key="hush") as app:
        device = await app.house.device()
        body = {"channel": "news", "device_id": device}
        assert (await app.house.post("/api/subscriptions", body)).status_code == 201
        said = await app.house.post("/api/notify", {"channel": "news", "title": "t"})
        url = said.json()["url"]
        await settled(app, said.json()["id"], {device: WORDS[0]})
        assert (await app.key.ask("GET", url)).status_code == 200
        problem(await app.key.ask("GET", f"{url}/deliveries"), 404, "not_found")
        admin = {"Authorization": "Bearer hush"}
        answer = await app.house.client.get(f"{url}/deliveries", headers=admin)
        assert [one["device_id"] for one in answer.json()["data"]] == [device]
