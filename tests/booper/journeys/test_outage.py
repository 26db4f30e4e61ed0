"""A provider that refuses us: left alone, probed, and caught up with afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.domain.errors import Unavailable
from booper.ports import Sql
from booper.simulators.faults import Answer
from booper.store import outbox
from booper.store.express import SMALL
from tests.booper.journeys.house import device_token
from tests.booper.journeys.neighbourhood import Neighbourhood, neighbourhood

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real


def refusals(house: Neighbourhood, name: str) -> int:
    """How many requests its Apple has turned away."""
    return sum(house.neighbours[name].apple.ledger.summary().refused.values())


async def test_a_refused_key_stops_its_instance_and_uses_up_no_try(tmp_path: Path) -> None:
    async with neighbourhood(tmp_path, ["a", "b"]) as house:
        await house.settle_in(["a", "b"], 3)
        fault = Answer(status=403, reason="InvalidProviderToken")
        house.neighbours["b"].apple.faults.script(fault)
        owns = [await house.notify("b", ttl=86_400) for _ in range(8)]
        standing = await house.until("b", breaker="open", state="refused")
        assert standing["last_error"] == "InvalidProviderToken"
        assert standing["pause"] > 50
        for _ in range(30):  # ten minutes
            house.clock.ahead += 20.0
            await trio.sleep(0.03)
        # All eight batches may have been under way at first; then 60, 120 and 240 s: four probes.
        assert refusals(house, "b") <= 8 * 3 + 4
        house.neighbours["b"].apple.faults.clear()
        for own in owns:
            shown = await house.leap_until_done(own, 600.0)
            assert shown["counts"]["accepted"] == 3
        attempts = await attempts_of(house)
        assert max(attempts) == 1, "being refused is no try"


async def attempts_of(house: Neighbourhood) -> list[int]:
    async def read(tx: Any) -> list[int]:
        return [n for (n,) in await tx.fetch(Sql("SELECT attempt FROM every_delivery"))]

    return await house.booper.ports.database.read(read)


async def test_a_wrong_environment_drops_nobody(tmp_path: Path) -> None:
    """Sandbox for production: Apple calls every device bad. The instance pauses, they are kept."""
    async with neighbourhood(tmp_path, ["a", "b"]) as house:
        await house.settle_in(["a", "b"], 30)
        bad = Answer(status=400, reason="BadDeviceToken")
        house.neighbours["a"].apple.faults.script(bad)
        shown = await house.done(await house.notify("a"))
        assert shown["counts"]["gone"] == 30
        place = "/api/admin/instances/a/quarantine"
        ward = (await house.client.get(place)).json()
        assert (ward["brake"]["paused"], ward["brake"]["dead"], len(ward["devices"])) == (
            True,
            30,
            30,
        )

        body = {"provider": "apns", "instance": "a", "device_token": device_token(2_000_000)}
        late = (await house.client.post("/api/devices", json=body)).json()["id"]
        body = {"channel": "a", "device_id": late}
        await house.client.post("/api/subscriptions", json=body)
        own = await house.notify("a", ttl=86_400)
        assert (await house.done(await house.notify("b")))["counts"]["accepted"] == 30
        progress = await house.progress(own)
        assert (progress["devices"], progress["pending"]) == (1, 1), "paused: it waits"

        house.neighbours["a"].apple.faults.clear()
        assert (await house.client.post(f"{place}/undo")).json() == {"devices": 30}
        assert (await house.done(own))["counts"]["accepted"] == 1
        assert (await house.done(await house.notify("a")))["counts"]["accepted"] == 31


async def test_what_was_leased_and_not_read_is_given_back_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store goes away between the two: nobody has died of it, and nobody counts it as sent."""
    away = 2
    located = outbox.located

    async def break_off(tx: Any, leased: Any) -> Any:
        nonlocal away
        if away:
            away -= 1
            raise Unavailable("away", code="store_unavailable")
        return await located(tx, leased)

    monkeypatch.setattr(outbox, "located", break_off)
    async with neighbourhood(tmp_path, ["a"]) as house:
        await house.settle_in(["a"], SMALL + 10)
        own = await house.notify("a")
        shown = await house.done(own)
        assert not away
        assert shown["counts"]["accepted"] == SMALL + 10
        assert shown["maybe_doubled"] == 0
        assert house.neighbours["a"].apple.ledger.summary().duplicates == 0
