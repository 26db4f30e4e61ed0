"""The simulated push service on a socket: to browsers, to senders, to a third party's sender."""

from __future__ import annotations

import base64
import json
import os
import ssl
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from booper.domain.content import Content
from booper.domain.delivery import Target
from booper.domain.outcome import Outcome
from booper.providers import vapid
from booper.providers.provider import Occasion, Parcel
from booper.providers.webpush import WebPush
from booper.simulators.faults import Answer, Hangup
from booper.simulators.webpush import WebPushSimulator

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator

    from booper.wire import Request

pytestmark = pytest.mark.real
SENDER = Path(__file__).with_name("pywebpush_sender.py")
OCCASION = Occasion("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", 1_800_000_000.0)
NOW = 1_800_000_000.0
KEYS = vapid.generate()


@asynccontextmanager
async def service() -> AsyncIterator[tuple[WebPushSimulator, httpx.AsyncClient]]:
    simulator = WebPushSimulator(now=lambda: NOW)
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        trust = ssl.create_default_context(cadata=simulator.ca_pem)
        async with httpx.AsyncClient(base_url=simulator.url, verify=trust) as client:
            yield simulator, client
        nursery.cancel_scope.cancel()


def request(subscription: object, keys: vapid.KeyPair = KEYS, **content: Any) -> Request:
    """What our own codec makes for it."""
    table = {"private_key": keys.private_key.reveal(), "subject": "mailto:ops@example.com"}
    own = WebPush().codec("web", {**table})
    made = own.compile(Content(**content), OCCASION, own.mint(NOW))
    assert not isinstance(made, Outcome)
    (parcel,) = made.pack([Target(0, json.dumps(subscription), 0.0)])
    assert isinstance(parcel, Parcel)
    return parcel.request


async def posted(client: httpx.AsyncClient, made: Request) -> httpx.Response:
    return await client.post(made.url, headers=dict(made.headers), content=made.body)


def bodies(texts: list[bytes]) -> list[str]:
    return [json.loads(text)["notification"]["body"] for text in texts]


async def test_from_subscribing_to_reading() -> None:
    async with service() as (simulator, client):
        options = {"applicationServerKey": KEYS.public_key, "userVisibleOnly": True}
        answer = await client.post("/subscribe", json=options)
        assert answer.status_code == 201
        subscription = answer.json()
        assert subscription["endpoint"].startswith(f"{simulator.url}/push/")
        answer = await posted(client, request(subscription, body="Grüße"))
        assert answer.status_code == 201
        assert answer.headers["location"].startswith(f"{simulator.url}/message/")
        assert answer.headers["ttl"] == "86400"
        assert bodies(simulator.texts(subscription)) == ["Grüße"]
        name = subscription["endpoint"].rpartition("/")[2]
        (message,) = (await client.get(f"/messages/{name}")).json()["messages"]
        assert json.loads(message["text"])["notification"]["body"] == "Grüße"
        assert base64.b64decode(message["base64"]) == message["text"].encode()
        assert (message["urgency"], message["ttl"]) == ("high", 86_400)
        (entry,) = simulator.ledger
        assert (entry.instance, entry.device) == (KEYS.public_key, name)
        assert (await client.delete(subscription["endpoint"])).status_code == 204
        assert (await posted(client, request(subscription, body="x"))).status_code == 410


async def test_the_same_text_is_a_duplicate_and_the_same_topic_replaces() -> None:
    async with service() as (simulator, client):
        there = simulator.subscribe(KEYS.public_key)
        for body, key in [("a", "k"), ("a", "k"), ("b", "other"), ("c", "k")]:
            made = request(there, body=body, collapse_key=key)
            assert (await posted(client, made)).status_code == 201
        assert bodies(simulator.texts(there)) == ["b", "c"]
        summary = simulator.ledger.summary()
        assert (summary.accepted, summary.distinct, summary.duplicates) == (4, 3, 1)


async def test_scripted_faults() -> None:
    async with service() as (simulator, client):
        there, other = simulator.subscribe(), simulator.subscribe()
        name = str(there["endpoint"]).rpartition("/")[2]
        simulator.faults.script(Answer(429, retry_after=7), times=1)
        simulator.faults.script(Answer(410), device=name, times=1)
        simulator.faults.script(Answer(202), times=1)
        answer = await posted(client, request(there, body="x"))
        assert (answer.status_code, answer.json()["errno"]) == (410, 106)
        answer = await posted(client, request(other, body="x"))
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        assert (await posted(client, request(there, body="x"))).status_code == 202
        assert len(simulator.ledger) == 1
        simulator.faults.script(Hangup(accepted=True), times=1)
        with pytest.raises(httpx.TransportError):
            await posted(client, request(other, body="y"))
        assert bodies(simulator.texts(other)) == ["y"]


async def test_a_refusal_says_why() -> None:
    async with service() as (simulator, client):
        there = simulator.subscribe(KEYS.public_key)
        answer = await posted(client, request(there, vapid.generate(), body="x"))
        assert answer.status_code == 403
        assert answer.json() == {
            "code": 403,
            "errno": 109,
            "error": "Forbidden",
            "message": "VAPID public key mismatch",
        }
        bare = await client.post(str(there["endpoint"]), headers={"ttl": "0"})
        assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "vapid")
        assert simulator.ledger.refused["403 VAPID public key mismatch"] == 1


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/subscribe", b"junk", 400),
        ("POST", "/subscribe", b"[" * 5000, 400),
        ("POST", "/subscribe", b'{"applicationServerKey": 7}', 400),
        ("POST", "/subscribe", b'{"applicationServerKey": "AAAA"}', 400),
        ("POST", "/subscribe", b"\xff", 400),
        ("GET", "/subscribe", b"", 404),
        ("GET", "/", b"", 404),
        ("GET", "/messages/nobody", b"", 404),
        ("POST", "/push/nobody", b"x", 404),
        ("DELETE", "/push/nobody", b"", 404),
        ("GET", "/push/nobody", b"", 405),
        ("PUT", "/push/", b"", 405),
    ],
)
async def test_junk(method: str, path: str, content: bytes, status: int) -> None:
    async with service() as (simulator, client):
        answer = await client.request(method, path, content=content)
        assert answer.status_code == status
        assert answer.json()["code"] == status
        assert len(simulator.agents) == 0


async def sent(simulator: WebPushSimulator, folder: Path, **place: Any) -> list[list[Any]]:
    """What pywebpush in a program of its own reports."""
    ca_file, key_file = folder / "ca.pem", folder / "vapid.pem"
    ca_file.write_text(simulator.ca_pem)
    key_file.write_text(place.pop("keys", KEYS).private_key.reveal())
    whole = {
        "texts": ["hello"],
        "private_key": str(key_file),
        "subject": "mailto:ops@example.com",
        "headers": {},
        **place,
    }
    ended: subprocess.CompletedProcess[bytes] = await trio.run_process(
        [sys.executable, str(SENDER)],
        stdin=json.dumps(whole).encode(),
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env={**os.environ, "REQUESTS_CA_BUNDLE": str(ca_file)},
    )
    assert ended.returncode == 0, ended.stderr.decode()
    report: list[list[Any]] = json.loads(ended.stdout)
    return report


async def test_pywebpush_unchanged_is_accepted_and_understands_refusals(tmp_path: Path) -> None:
    simulator = WebPushSimulator()
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        good = [simulator.subscribe(KEYS.public_key) for _ in range(3)]
        other = simulator.subscribe(vapid.generate().public_key)
        nowhere = {**good[0], "endpoint": f"{simulator.url}/push/nowhere"}
        everybody = [*good, other, nowhere]
        headers = {"Urgency": "high", "Topic": "t"}
        report = await sent(simulator, tmp_path, subscriptions=everybody, headers=headers)
        assert [status for status, _ in report] == [201, 201, 201, 403, 404]
        assert report[0][1].startswith(f"{simulator.url}/message/")
        assert report[3][1] == "VAPID public key mismatch"
        for there in good:
            assert simulator.texts(there) == [b"hello"]
        report = await sent(
            simulator, tmp_path, subscriptions=good[:1], texts=["Grüße 👋", "x" * 3800]
        )
        assert [status for status, _ in report] == [201, 201]
        assert simulator.texts(good[0]) == [b"hello", "Grüße 👋".encode(), b"x" * 3800]
        ((status, _),) = await sent(
            simulator, tmp_path, subscriptions=good[:1], headers={"Topic": "no good topic"}
        )
        assert status == 400
        nursery.cancel_scope.cancel()
