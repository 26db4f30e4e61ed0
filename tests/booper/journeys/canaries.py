"""A Booper in a process of its own whose every secret is a canary, led down every path of error.

    python -m tests.booper.journeys.canaries FOLDER

Whatever it says (responses, logs at DEBUG, reprs, tracebacks, the locals of a crash) goes to its
output, whatever it stores into FOLDER. `test_secrets.py` looks for the canaries in both.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import trio

from booper import settings as settings_file
from booper import wiring
from booper.bench.bugs import Crashing
from booper.cli.logs import log_to_stderr
from booper.domain.errors import BooperError
from booper.providers import PROVIDERS, codec
from booper.settings import Delivery, Guard, Http, Settings
from booper.simulators.apns import Account, ApnsSimulator
from booper.simulators.faults import Answer, Hangup
from booper.simulators.fcm import FcmSimulator
from booper.simulators.http import HttpSimulator
from booper.simulators.ntfy import NtfyAccount, NtfyRules
from booper.simulators.webpush import WebPushSimulator
from tests.booper.journeys.planted import Planted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.domain.outcome import Outcome
    from booper.providers.provider import AccessToken, Codec
    from booper.wire import Answer as Heard

HERE = "/api/admin/instances"
DEFAULTS = {"apns": "apple", "fcm": "google", "expo": "expo", "ntfy": "ntfy", "webpush": "web"}


def say(*what: object) -> None:
    sys.stdout.write(f"{' '.join(map(str, what))}\n")
    sys.stdout.flush()


class Telling(Crashing):
    """Shows every frame with its locals where it crashes, and does so when a token is made."""

    def mint(self, now: float) -> AccessToken:
        access = super().mint(now)
        tell(access)
        return access

    def read(self, answer: Heard) -> Outcome:
        tell(answer)
        raise ZeroDivisionError("a bug in a codec")


def tell(*found: object) -> None:
    """The stack as the most talkative traceback would show it."""
    stack = traceback.walk_stack(None)
    say("LOCALS", *traceback.StackSummary.extract(stack, capture_locals=True).format())


class Servers:
    """A simulator for each provider, each refusing whatever it is shown."""

    def __init__(self, folder: Path) -> None:
        self.apple = ApnsSimulator(Account())
        self.google = FcmSimulator()
        self.ntfy = HttpSimulator(NtfyRules(NtfyAccount(access_tokens={"another"}, open=False)))
        self.web = WebPushSimulator()
        self.all: dict[str, Any] = {
            "apns": self.apple,
            "fcm": self.google,
            "ntfy": self.ntfy,
            "webpush": self.web,
        }
        self._folder = folder

    def at(self, kind: str) -> dict[str, str]:
        ca_file = self._folder / f"{kind}.pem"
        ca_file.write_text(self.all[kind].ca_pem)
        place = {"ca_file": str(ca_file)}
        return place if kind == "webpush" else {"url": self.all[kind].url, **place}


def tables(planted: Planted, servers: Servers) -> dict[str, dict[str, Any]]:
    """Instances of every provider: refused ones, behind a proxy that is not there, and a buggy."""
    apns, fcm, ntfy = servers.at("apns"), servers.at("fcm"), servers.at("ntfy")
    found: dict[str, dict[str, Any]] = {
        "apple": {**planted.apns, **apns},
        "buggy": {**planted.apns, **apns},
        "google": {**planted.fcm, **fcm},
        "expo": {**planted.expo, **ntfy},
        "ntfy": {**planted.ntfy, **ntfy},
        "ntfy-password": {**planted.ntfy_password, **ntfy},
        "web": {**planted.webpush, **servers.at("webpush")},
    }
    for name in ("apple", "google", "expo", "ntfy", "web"):
        found[f"{name}-proxied"] = {**found[name], "proxy": planted.proxy}
    return found


async def life(folder: Path, planted: Planted, servers: Servers, keys: dict[str, str]) -> None:
    """One life of Booper, with everything done to it."""

    def make(name: str, table: Mapping[str, object], now: float) -> Codec:
        made = codec(name, table, now)
        say("CODEC", repr(made))
        return Telling(made, "read") if name == "buggy" else made

    settings = Settings(
        database=f"sqlite:{folder / 'booper.sqlite3'}",
        admin_key=planted.admin_key,
        log_level="debug",
        shutdown=2.0,
        http=Http(port=0),
        delivery=Delivery(tick=0.1, send_timeout=1.0),
        guard=Guard(["127.0.0.0/8", "::1/128"]),
        instances=tables(planted, servers),
        defaults=DEFAULTS,
        keys=keys,
    )  # fmt: skip
    say("SETTINGS", repr(settings), str(settings))
    async with trio.open_nursery() as nursery:
        booper: wiring.Booper = await nursery.start(_run, settings, make)
        say("PORTS", repr(booper.ports), repr(booper.ports.seal), repr(booper.registrar.safe))
        async with httpx.AsyncClient(base_url=booper.url, timeout=10) as client:
            await (abuse if "k1" in keys else again)(client, planted)
            await traffic(client, servers, folder)
            await look(client, planted)
            keep_wal(folder)
        booper.stop()


async def _run(settings: Settings, make: Any, *, task_status: trio.TaskStatus[Any]) -> None:
    await wiring.run(settings, make=make, task_status=task_status)


async def ask(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> Any:
    """The answer, all of it said aloud."""
    answer = await client.request(method, path, **more)
    say("ANSWER", method, path.partition("?")[0], answer.status_code, answer.headers, answer.text)
    return answer.json() if "json" in answer.headers.get("content-type", "") else None


async def abuse(client: httpx.AsyncClient, planted: Planted) -> None:
    """Secrets where they do not belong, before and after the right one is presented."""
    for wrong in (f"Bearer {planted.proxy}", f"Basic {planted.admin_key}", planted.admin_key):
        await ask(client, "GET", HERE, headers={"Authorization": wrong})
    await ask(client, "GET", f"{HERE}?access_token={planted.admin_key}")
    login = {"email": "a@example.com", "password": planted.password}
    await ask(client, "POST", "/api/accounts", json={**login, "name": "A"})
    await ask(client, "POST", "/api/sessions", json={**login, "password": planted.password + "x"})
    client.headers["Authorization"] = f"Bearer {planted.admin_key}"
    for settings in planted.unusable():
        for provider in PROVIDERS:
            body = {"name": "bad", "provider": provider, "settings": settings}
            await ask(client, "POST", HERE, json=body)
    await ask(client, "POST", HERE, json={"name": planted.password, "provider": 5})
    as_json = {"Content-Type": "application/json"}
    half = f'{{"settings": "{planted.password}'
    await ask(client, "POST", HERE, content=half, headers=as_json)
    good = {k: v for k, v in planted.apns.items() if k != "provider"}
    body = {"name": "made", "provider": "apns", "settings": {**good, "url": "https://localhost:1"}}
    await ask(client, "POST", HERE, json={**body, "verify": True})
    await ask(client, "POST", HERE, json=body)
    await ask(client, "POST", HERE, json=body)
    proxied = {"settings": {"proxy": planted.proxy}}
    await ask(client, "PATCH", f"{HERE}/made", json=proxied)
    await ask(client, "PATCH", f"{HERE}/apple", json=proxied)
    await ask(client, "POST", f"{HERE}/made/verify")


async def again(client: httpx.AsyncClient, planted: Planted) -> None:
    """What was stored is asked for by somebody who cannot open it."""
    client.headers["Authorization"] = f"Bearer {planted.admin_key}"
    await ask(client, "PATCH", f"{HERE}/made", json={"settings": {"proxy": planted.proxy}})
    await ask(client, "POST", f"{HERE}/made/verify")


async def traffic(client: httpx.AsyncClient, servers: Servers, folder: Path) -> None:
    """A push through every instance, while providers refuse and break and the store is away."""
    subscription = servers.web.subscribe()
    devices: list[dict[str, Any]] = [
        {"provider": "apns", "device_token": "ab" * 32},
        {"provider": "fcm", "device_token": "abc:DEF_123-456.789" * 3},
        {"provider": "expo", "device_token": "ExponentPushToken[abcdefghijklmnopqrstuv]"},
        {"provider": "ntfy", "device_token": "topic"},
        {"provider": "webpush", "subscription": subscription},
    ]
    named = {"apns": "apple", "fcm": "google", "webpush": "web"}
    for device in devices:
        name = named.get(device["provider"], device["provider"])
        for instance in ("", f"{name}-proxied", "buggy" if name == "apple" else ""):
            body = {**device, "instance": instance}
            found = await ask(client, "POST", "/api/devices", json=body)
            body = {"channel": "news", "device_id": found.get("id")}
            await ask(client, "POST", "/api/subscriptions", json=body)
    await ask(client, "POST", "/api/notify", json={"channel": "news", "title": "1"})
    await trio.sleep(1.5)
    servers.apple.faults.script(Hangup())
    servers.google.faults.script(Answer(status=500))
    await ask(client, "POST", "/api/notify", json={"channel": "news", "title": "2"})
    with sqlite3.connect(folder / "booper.sqlite3", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        await ask(client, "GET", "/readyz")
        with trio.move_on_after(1.0):
            await ask(client, "POST", "/api/notify", json={"channel": "news", "title": "3"})
        other.execute("ROLLBACK")
    other.close()


async def look(client: httpx.AsyncClient, planted: Planted) -> None:
    """Whatever the operator may see of every instance, and ask of it."""
    listed = await ask(client, "GET", HERE)
    for one in (listed or {}).get("instances", []):
        await ask(client, "GET", f"{HERE}/{one['name']}")
        await ask(client, "GET", f"{HERE}/{one['name']}/audit")
        if one["name"] in ("apple", "buggy", "expo-proxied", "made"):
            await ask(client, "POST", f"{HERE}/{one['name']}/verify")
        body = {"device_token": planted.password, "title": "x"}
        await ask(client, "POST", f"{HERE}/{one['name']}/push", json=body)
    await ask(client, "GET", "/api/admin/tree")
    await ask(client, "GET", "/api/admin/quarantine")


def keep_wal(folder: Path) -> None:
    """A copy of the write-ahead log: closing the database empties it."""
    for log in folder.glob("*-wal"):
        (folder / "wal").write_bytes(log.read_bytes())


def misconfigure(folder: Path, planted: Planted) -> None:
    """What the command line says to settings that cannot be used."""
    for text in planted.bad_files():
        path = folder / "bad.toml"
        path.write_text(text, "utf-8")
        try:
            made = settings_file.load(path, {"BOOPER_ADMIN_KEY": planted.admin_key})
            say("LOADED", repr(made))
            for name, table in made.instances.items():
                codec(name, table, 0.0)
        except BooperError as error:
            say("REFUSED", repr(error), error.detail, *traceback.format_exception(error))
        path.unlink()


async def main(folder: Path) -> None:
    planted = Planted(json.loads(sys.stdin.read()))
    misconfigure(folder, planted)
    servers = Servers(folder)
    async with trio.open_nursery() as nursery:
        for server in servers.all.values():
            await nursery.start(server.serve)
        await life(folder, planted, servers, {"k1": planted.key})
        say("--- another life, in which nothing that was stored can be opened")
        await life(folder, planted, servers, {"k2": planted.other_key})
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    log_to_stderr("debug")
    trio.run(main, Path(sys.argv[1]))
