"""A third party's push service takes what we send, and its browsers decrypt it.

web-push-testing checks the VAPID key and signature and decrypts with http_ece for node.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from booper.clock import SystemDice
from booper.domain.content import Content
from booper.domain.delivery import Target
from booper.domain.outcome import Kind, Outcome
from booper.providers import vapid
from booper.providers.provider import Occasion, Parcel
from booper.providers.webpush import WebPush, WebPushCodec
from booper.simulators.certificates import Authority
from booper.transport import Network
from booper.transport.guard import Guard
from tests.booper.interop.tls_front import tls_front

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.real
OCCASION = Occasion("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", 1_800_000_000.0)
KEYS = vapid.generate()


class Service:
    """The running push service: by its own plain port for the browser's part, by TLS for ours."""

    def __init__(self, browser: httpx.AsyncClient, tls_port: int, ca_file: Path) -> None:
        self.browser = browser
        self.ca_file = ca_file
        self._tls_port = tls_port
        self.names: dict[str, str] = {}

    async def subscribe(self, public_key: str = KEYS.public_key) -> str:
        """A browser's subscription, as our device token."""
        form = {"userVisibleOnly": "true", "applicationServerKey": public_key}
        answer = await self.browser.post("/subscribe", data=form)
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        path = httpx.URL(data["endpoint"]).path
        whole = {"endpoint": f"https://localhost:{self._tls_port}{path}", "keys": data["keys"]}
        spelled = WebPush().device_token(json.dumps(whole))
        self.names[spelled] = data["clientHash"]
        return spelled

    async def messages(self, device_token: str) -> list[Any]:
        """What the browser has decrypted."""
        body = {"clientHash": self.names[device_token]}
        answer = await self.browser.post("/get-notifications", json=body)
        return [json.loads(text) for text in answer.json()["data"]["messages"]]


@asynccontextmanager
async def service(modules: Path, folder: Path) -> AsyncIterator[Service]:
    with trio.socket.socket() as probe:
        await probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = modules / "web-push-testing" / "src" / "bin" / "server.js"
    authority = Authority()
    ca_file = folder / "ca.pem"
    ca_file.write_text(authority.pem)
    async with trio.open_nursery() as nursery:
        run = partial(
            trio.run_process,
            ["node", str(program), str(port)],
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await nursery.start(run)
        context = authority.server_context(alpn=("http/1.1",))
        tls_port = await nursery.start(tls_front, context, port)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as browser:
            with trio.fail_after(20):
                while not await _answers(browser):
                    await trio.sleep(0.05)
            yield Service(browser, tls_port, ca_file)
        nursery.cancel_scope.cancel()


async def _answers(browser: httpx.AsyncClient) -> bool:
    try:
        return (await browser.post("/status")).status_code == 200
    except httpx.ConnectError:
        return False


async def send(own: WebPushCodec, content: Content, *devices: str) -> list[Outcome]:
    """Over the real client; one outcome per device."""
    made = own.compile(content, OCCASION, own.mint(1_800_000_000.0))
    assert not isinstance(made, Outcome)
    parcels = list(made.pack([Target(n, text, 0.0) for n, text in enumerate(devices)]))
    client = Network(SystemDice(), Guard(["127.0.0.0/8", "::1/128"])).client(own.outlet)
    try:
        requests = [parcel.request for parcel in parcels if isinstance(parcel, Parcel)]
        answers = await client.send(requests, timeout=20)
    finally:
        await client.aclose()
    outcomes = []
    for parcel, answer in zip(parcels, answers, strict=True):
        assert isinstance(parcel, Parcel)
        outcomes.extend(made.read(parcel, answer))
    return outcomes


def codec(there: Service, keys: vapid.KeyPair = KEYS) -> WebPushCodec:
    table: dict[str, object] = {
        "private_key": keys.private_key.reveal(),
        "subject": "mailto:ops@example.com",
        "ca_file": str(there.ca_file),
        "allowed_endpoints": ["localhost"],
    }
    return WebPush().codec("web", table)


async def test_its_browsers_read_what_we_send(node_modules: Path, tmp_path: Path) -> None:
    async with service(node_modules, tmp_path) as there:
        devices = [await there.subscribe() for _ in range(5)]
        own = codec(there)
        for body in ("Grüße 👋", "x" * 3850):
            outcomes = await send(own, Content(body=body), *devices)
            assert [outcome.kind for outcome in outcomes] == [Kind.ACCEPTED] * 5
        for device in devices:
            bodies = [said["notification"]["body"] for said in await there.messages(device)]
            assert bodies == ["Grüße 👋", "x" * 3850]


async def test_a_wrong_key_is_refused_and_a_dead_subscription_is_gone(
    node_modules: Path, tmp_path: Path
) -> None:
    async with service(node_modules, tmp_path) as there:
        good, other, dead = [
            await there.subscribe(),
            await there.subscribe(vapid.generate().public_key),
            await there.subscribe(),
        ]
        await there.browser.post(f"/expire-subscription/{there.names[dead]}")
        own = codec(there)
        (first,) = await send(own, Content(body="x"), other)
        assert (first.kind, first.status) == (Kind.REFUSED, 400)
        kinds = [outcome.kind for outcome in await send(own, Content(body="x"), good, other, dead)]
        assert kinds == [Kind.ACCEPTED, Kind.FAILED, Kind.GONE]
        assert len(await there.messages(good)) == 1
        assert await there.messages(other) == []
