"""Simulated providers in processes of their own: their ledgers read, their faults scripted."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import trio

from tests.booper.faults.form import PATIENCE

if TYPE_CHECKING:
    from booper.simulators.apart import Apple

PAGE = 10_000


class Provider:
    """The remote control of one simulator."""

    def __init__(self, apple: Apple) -> None:
        self.apple = apple
        self._client = httpx.AsyncClient(base_url=apple.control_url, timeout=60)

    async def aclose(self) -> None:
        await self._client.aclose()

    def table(self) -> dict[str, str]:
        """What an instance's settings need to find it."""
        apple = self.apple
        return {
            "key_id": apple.key_id,
            "team_id": apple.team_id,
            "topic": apple.topic,
            "private_key_file": apple.key_file,
            "url": apple.url,
            "ca_file": apple.ca_file,
        }

    async def entries(self) -> list[dict[str, Any]]:
        """Every accepted push, in order."""
        found: list[dict[str, Any]] = []
        while True:
            query = {"after": len(found), "limit": PAGE}
            page = (await self._client.get("/ledger", params=query)).json()["entries"]
            found += page
            if len(page) < PAGE:
                return found

    async def counts(self) -> Counter[tuple[str, str]]:
        """(device, push id) → how often it was accepted."""
        return Counter((entry["device"], entry["push_id"]) for entry in await self.entries())

    async def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self._client.get("/ledger/summary")).json()
        return found

    async def script(self, fault: dict[str, Any], **more: Any) -> None:
        """Do something wrong from now on."""
        answer = await self._client.post(
            "/faults", content=json.dumps({"fault": fault, **more}).encode()
        )
        assert answer.status_code == 201, answer.text

    async def heal(self) -> None:
        """Do nothing wrong any more."""
        await self._client.delete("/faults")

    async def accepted(self, at_least: int) -> None:
        """Wait until it has accepted so many."""
        with trio.fail_after(PATIENCE):
            while (await self.summary())["accepted"] < at_least:
                await trio.sleep(0.005)
