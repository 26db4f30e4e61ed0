"""FCM with access tokens that Google's authorisation server grants, and the operator's verbs."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from booper import wiring
from booper.domain.access import AccessToken
from booper.domain.errors import Misconfigured
from booper.domain.secret import Secret
from booper.providers.fcm import Fcm
from booper.providers.recipes import Recipe
from booper.settings import Delivery, Guard, Http, Public, Settings
from booper.simulators.fcm import FcmSimulator, Issued, Project, generate_account
from booper.store import access as rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.real


def table(google: FcmSimulator, issued: Issued, folder: Path) -> dict[str, Any]:
    """The settings of an instance that uses the simulated Google and its token endpoint."""
    (folder / "ca.pem").write_text(google.ca_pem)
    return {
        "provider": "fcm",
        "credentials": issued.file(google.token_uri),
        "auth": "oauth",
        "url": google.url,
        "ca_file": str(folder / "ca.pem"),
    }


class Shop:
    """A running house, its Google, and a client at its front door."""

    def __init__(
        self,
        booper: wiring.Booper,
        google: FcmSimulator,
        recipe: Recipe,
        client: httpx.AsyncClient,
    ) -> None:
        self.booper, self.google, self.recipe, self.client = booper, google, recipe, client

    async def register(self, count: int) -> None:
        for number in range(count):
            body = {"provider": "fcm", "device_token": f"registration-{number:020}"}
            own = (await self.client.post("/api/devices", json=body)).json()["id"]
            listening = {"channel": "news", "device_id": own}
            answer = await self.client.post("/api/subscriptions", json=listening)
            assert answer.status_code == 201, answer.text

    async def notify(self) -> str:
        answer = await self.client.post("/api/notify", json={"channel": "news", "title": "Hi"})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["url"])

    async def done(self, url: str) -> dict[str, Any]:
        with trio.fail_after(20):
            while (shown := (await self.client.get(url)).json())["finished_at"] is None:
                await trio.sleep(0.02)
        counts: dict[str, Any] = shown["counts"]
        return counts


@asynccontextmanager
async def shop(folder: Path, *, revoked: bool = False, **more: Any) -> AsyncIterator[Shop]:
    issued = generate_account()
    google = FcmSimulator(Project(accounts=[issued.account]))
    if revoked:
        google.project.revoke_key(issued.account.key_id)
    async with trio.open_nursery() as nursery:
        await nursery.start(google.serve)
        settings_of = table(google, issued, folder)
        own = {key: value for key, value in settings_of.items() if key != "provider"}
        recipe = Fcm().codec("google", own).recipe
        assert isinstance(recipe, Recipe)
        settings = Settings(
            database=f"sqlite:{folder / 'booper.sqlite3'}",
            shutdown=5.0,
            http=Http(port=0),
            public=Public(per_address=0, per_channel=0, changes_per_address=0),
            delivery=Delivery(tick=0.2),
            guard=Guard(allow=["127.0.0.0/8", "::1/128"]),
            instances={"google": {**settings_of, **more.pop("instance", {})}},
            **more,
        )
        async with trio.open_nursery() as inner:
            booper: wiring.Booper = await inner.start(partial(wiring.run, settings))
            async with httpx.AsyncClient(base_url=booper.url, timeout=20) as client:
                yield Shop(booper, google, recipe, client)
            booper.stop()
        nursery.cancel_scope.cancel()


async def test_one_grant_serves_every_batch(tmp_path: Path) -> None:
    async with shop(tmp_path) as house:
        await house.register(5)
        first, second = await house.notify(), await house.notify()
        assert (await house.done(first))["accepted"] == 5
        assert (await house.done(second))["accepted"] == 5
        assert house.google.credentials.exchanges == 1


async def test_a_restart_asks_for_no_new_token(tmp_path: Path) -> None:
    async with shop(tmp_path) as house:
        await house.register(1)
        assert (await house.done(await house.notify()))["accepted"] == 1
        access = house.booper.ports.access
        assert access is not None
        with trio.fail_after(10):  # it is stored behind the caller's back
            while not await house.booper.ports.database.read(
                rows.load, house.booper.ports.seal, rows.Whose("", house.recipe.name), rows.CACHED
            ):
                await trio.sleep(0.01)
        found = await access.acquire(house.recipe)
        assert found.access is not None
        wall = house.booper.ports.clock.wall()
        assert 3000 < found.access.expires_at - wall <= 3599


async def test_w1_a_stored_token_that_was_revoked_is_replaced_once_and_nothing_fails(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path) as house:
        await house.register(3)
        ports, whose = house.booper.ports, rows.Whose("", house.recipe.name)
        wall = ports.clock.wall()
        revoked = AccessToken(Secret("revoked"), wall - 600, math.inf, wall + 3000)
        await ports.database.write(rows.save, ports.seal, whose, rows.CACHED, revoked, wall)
        counts = await house.done(await house.notify())
        assert (counts.pop("accepted"), sum(counts.values())) == (3, 0)
        assert house.google.credentials.exchanges == 1
        assert house.google.ledger.refused["ACCESS_TOKEN_TYPE_UNSUPPORTED"] >= 1
        stored = await ports.database.read(rows.load, ports.seal, whose, rows.CACHED)
        assert stored is not None
        assert stored.text.reveal().startswith("ya29.")


async def test_a_refused_grant_is_a_state_in_the_server_s_words_and_loses_nothing(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path, revoked=True) as house:
        await house.register(2)
        url = await house.notify()
        with trio.fail_after(20):
            while True:
                shown = (await house.client.get("/api/admin/instances")).json()
                standing = shown["instances"][0]["standing"]
                if standing is not None and standing["state"] == "refused":
                    break
                await trio.sleep(0.02)
        assert "invalid_grant" in standing["last_error"]
        assert (await house.client.get(url)).json()["pending"] == 2
        assert len(house.google.ledger) == 0
        assert house.google.ledger.refused["invalid_grant"] <= 3, "it is not hammered"


async def test_an_instance_may_take_its_token_from_a_resolver_of_the_operator(
    tmp_path: Path,
) -> None:
    resolvers = {"mine": {"preset": "custom"}}
    instance = {"resolver": "mine"}
    async with shop(tmp_path, resolvers=resolvers, instance=instance) as house:
        await house.register(1)
        access = house.booper.ports.access
        assert access is not None
        by_hand = (await access.acquire(house.recipe)).access
        assert by_hand is not None
        body = {"access_token": by_hand.text.reveal()}
        answer = await house.client.put("/api/admin/resolvers/mine/manual", json=body)
        assert answer.status_code == 200, answer.text
        assert (await house.done(await house.notify()))["accepted"] == 1
        assert house.google.credentials.exchanges == 1, "the one by hand"


async def test_the_operator_s_verbs(tmp_path: Path) -> None:
    resolvers = {"fixed": {"preset": "static", "access_token": "canary-fixed"}}
    async with shop(tmp_path, resolvers=resolvers) as house:
        said: list[str] = []

        async def ask(method: str, path: str = "", body: object = None) -> httpx.Response:
            url = f"/api/admin/resolvers/fixed{path}"
            answer = await house.client.request(method, url, json=body)
            said.append(answer.text)
            return answer

        listed = (await house.client.get("/api/admin/resolvers")).json()["resolvers"]
        assert [(one["name"], one["state"]) for one in listed] == [("fixed", "idle")]
        found = (await ask("POST", "/acquire")).json()
        assert found == {"found": True, "source": "static", "why": ""}
        first = (await ask("GET")).json()
        assert (first["state"], first["source"], first["sources"]) == (
            "good",
            "static",
            ["manual", "static"],
        )
        assert first["fingerprint"]
        set_ = await ask("PUT", "/manual", {"access_token": "canary-manual"})
        assert (set_.json()["source"], set_.json()["overridden"]) == ("manual", True)
        assert set_.json()["fingerprint"] != first["fingerprint"]
        assert (await ask("POST", "/refresh")).json()["source"] == "manual"
        assert (await ask("POST", "/invalidate")).status_code == 204
        assert (await ask("GET")).json()["state"] == "empty"
        for _ in range(2):
            assert (await ask("DELETE", "/manual")).status_code == 204
        assert (await ask("POST", "/acquire")).json()["source"] == "static"
        wrong = await ask("PUT", "/manual", {"access_token": "canary\ncanary"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_access_token")
        missing = await house.client.post("/api/admin/resolvers/nobody/refresh")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
        assert "canary" not in "".join(said)


async def test_a_resolver_that_cannot_work_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.RaisesGroup(Misconfigured, allow_unwrapped=True, flatten_subgroups=True):
        async with shop(tmp_path, resolvers={"x": {"preset": "google"}}):
            pass
    with pytest.RaisesGroup(Misconfigured, allow_unwrapped=True, flatten_subgroups=True):
        async with shop(tmp_path, instance={"resolver": "nobody"}):
            pass
