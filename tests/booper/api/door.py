"""The front door without a server: the app, a real store, no actors behind it."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from actors import Registry
from booper.api.app import OPERATIONS, create_app
from booper.api.house import House
from booper.api.known import Known
from booper.clock import SystemClock, SystemDice, UuidIds, entropy
from booper.domain.errors import Unavailable
from booper.domain.wanted import Wanted
from booper.limiter import MemoryLimiter
from booper.passwords import Argon2Passwords
from booper.ports import Ports
from booper.seal import KeyRing, new_key
from booper.settings import Settings
from booper.store.device_tokens import DeviceTokens
from booper.store.server_keys import ServerKeys
from booper.store.sqlite import open_sqlite
from booper.transport import Network
from booper.workers.directory import Directory
from booper.workers.registrar import Registrar
from booper.workers.safe import Safe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from quart_trio import QuartTrio

    from booper.api.operation import Operation
    from booper.ports import Clock, Database, Passwords

JSON = {"Content-Type": "application/json"}
POSTS = ("/api/devices", "/api/subscriptions", "/api/notify", "/api/notifications")
TOKEN = "ab" * 32


class NoDatabase:
    """A store that is away; `touched` counts who asked for it."""

    def __init__(self) -> None:
        self.touched = 0

    async def read(self, work: Callable[..., Awaitable[Any]], *args: Any, **how: Any) -> Any:
        self.touched += 1
        raise Unavailable("The store is away.", code="store_unavailable", retry_after=7.0)

    write = gather = read


class CrashingDatabase:
    """A store with a bug, whose error quotes what the caller sent."""

    async def read(self, work: Callable[..., Awaitable[Any]], *args: Any, **how: Any) -> Any:
        raise RuntimeError("SECRET")

    write = gather = read


class HandClock:
    """Time as a test sets it: `now`, for both clocks."""

    now = 1_800_000_000.0

    def wall(self) -> float:
        return self.now

    monotonic = wall


class Door:
    """The app as a client sees it."""

    def __init__(self, client: httpx.AsyncClient, house: House) -> None:
        self.client = client
        self.database = house.ports.database
        self.keys = house.keys
        self.tokens = house.ports.device_tokens

    async def post(self, path: str, body: object = None, **more: Any) -> httpx.Response:
        """A POST of JSON, or of bytes as they are."""
        if isinstance(body, bytes):
            return await self.client.post(path, content=body, **{"headers": JSON, **more})
        return await self.client.post(path, json=body, **more)

    async def device(self, token: str = TOKEN, **more: object) -> str:
        """A registered device's id."""
        return (await self.registered(token, **more)).id

    async def registered(self, token: str = TOKEN, **more: object) -> Phone:
        """A registered device that knows what it was told."""
        body = {"provider": "apns", "device_token": token, **more}
        answer = await self.post("/api/devices", body)
        assert answer.status_code == 201, answer.text
        return Phone(self, **answer.json())


class Phone:
    """A device, perhaps with its secret."""

    def __init__(self, house: Door, id: str, secret: str | None) -> None:  # noqa: A002
        self.house = house
        self.id = id
        self.secret = secret

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """As that device."""
        head = {name.replace("_", "-"): text for name, text in headers.items()}
        head["Authorization"] = f"Device {self.id}.{self.secret}"
        return await self.house.client.request(method, path, json=body, headers=head)


@asynccontextmanager
async def door(
    folder: Path,
    *,
    database: Database | None = None,
    caller: str = "127.0.0.1",
    stopping: bool = False,
    settings: Settings | None = None,
    admin_key: str = "",
    wrap: Callable[[Database], Database] | None = None,
    **more: Any,
) -> AsyncIterator[Door]:
    """The app of a house with the instances `main` and `other`, asked without a socket."""
    settings = settings or Settings(admin_key=admin_key)
    async with open_sqlite(folder / "b.sqlite3") as real:
        store = database or (wrap(real) if wrap else real)
        inside = house_of(store, settings, stopping=stopping, **more)
        app = create_app(inside)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(caller, 4711))  # type: ignore[arg-type]
        hooks = {"response": [as_declared]}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://door", event_hooks=hooks
        ) as client:
            yield Door(client, inside)


def app_of(store: Database, settings: Settings) -> QuartTrio:
    """The app on a store, with nobody behind it."""
    return create_app(house_of(store, settings))


def house_of(
    store: Database,
    settings: Settings,
    *,
    stopping: bool = False,
    clock: Clock | None = None,
    passwords: Passwords | None = None,
    seal: KeyRing | None = None,
) -> House:
    """A house on a store, with nobody behind it."""
    dice, ids, clock = SystemDice(), UuidIds(), clock or SystemClock()
    seal = seal or KeyRing({"test": new_key(entropy)}, entropy)
    keys = ServerKeys(store, seal, ids, clock)
    tokens = DeviceTokens(keys, ids)
    ports = Ports(store, Network(dice), clock, ids, dice, seal, tokens)
    registry, directory = Registry(), Directory({"apns": "main"})
    for name in ("main", "other"):
        directory.put(Wanted(name, "", name, "apns", "api", 1, 1, 1, 0.0, "test"))
    return House(
        ports,
        registry,
        settings,
        Registrar(ports, directory, registry, Safe(seal, clock)),
        snapshot=lambda: None,
        stopping=lambda: stopping,
        known=Known(clock),
        keys=keys,
        passwords=passwords or Argon2Passwords(memory=64, rounds=1),
        limiter=MemoryLimiter(clock),
    )


async def as_declared(answer: httpx.Response) -> None:
    """Fails unless the operation that was asked declares this status, and this problem's code."""
    operation = asked(answer.request.method, answer.request.url.raw_path.decode())
    if operation is None:
        assert answer.status_code in (404, 405)
        return
    await answer.aread()
    if answer.status_code < 400:
        assert answer.status_code in operation.answers
    elif answer.status_code != 500:
        code = answer.json()["code"]
        declared = operation.problems.get(answer.status_code, ())
        assert code in declared, f"{operation.method} {operation.path}: {code} is not declared"


def asked(method: str, path: str) -> Operation | None:
    """The operation that answers there."""
    for operations in OPERATIONS:
        one: Operation
        for one in operations.declared:
            pattern = re.sub(r"\{\w+\}", "[^/]+", one.path) + r"(?:\?.*)?"
            if one.method == method and re.fullmatch(pattern, path, re.DOTALL):
                return one
    return None


def problem(answer: httpx.Response, status: int, code: str, pointer: str | None = None) -> None:
    """Fails unless the answer is that problem, whole (RFC 9457)."""
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    ), answer.text
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code), body
    assert body["type"] == f"urn:booper:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    if pointer is not None:
        assert [error["pointer"] for error in body["errors"]] == [pointer]
        assert all(error["detail"] for error in body["errors"])
