"""The front door without a server: the app, a real store, no actors behind it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from actors import Registry
from booper.api.app import create_app
from booper.api.house import House
from booper.clock import SystemClock, SystemDice, UuidIds
from booper.domain.errors import Unavailable
from booper.domain.routing import Routes
from booper.ports import Ports
from booper.settings import Settings
from booper.store.sqlite import open_sqlite
from booper.transport import Http2Transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from quart_trio import QuartTrio

    from booper.ports import Database

JSON = {"Content-Type": "application/json"}
POSTS = ("/api/devices", "/api/subscriptions", "/api/notify", "/api/notifications")
TOKEN = "ab" * 32


class NoDatabase:
    """A store that is away; `touched` counts who asked for it."""

    def __init__(self) -> None:
        self.touched = 0

    async def read(self, work: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        self.touched += 1
        raise Unavailable("The store is away.", code="store_unavailable", retry_after=7.0)

    write = read


class CrashingDatabase:
    """A store with a bug, whose error quotes what the caller sent."""

    async def read(self, work: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        raise RuntimeError("SECRET")

    write = read


class Door:
    """The app as a client sees it."""

    def __init__(self, client: httpx.AsyncClient, database: Database) -> None:
        self.client = client
        self.database = database

    async def post(self, path: str, body: object = None, **more: Any) -> httpx.Response:
        """A POST of JSON, or of bytes as they are."""
        if isinstance(body, bytes):
            return await self.client.post(path, content=body, **{"headers": JSON, **more})
        return await self.client.post(path, json=body, **more)

    async def device(self, token: str = TOKEN, **more: object) -> str:
        """A registered device's id."""
        body = {"provider": "apns", "device_token": token, **more}
        answer = await self.post("/api/devices", body)
        assert answer.status_code == 201, answer.text
        own: str = answer.json()["id"]
        return own


@asynccontextmanager
async def door(
    folder: Path,
    *,
    database: Database | None = None,
    caller: str = "127.0.0.1",
    stopping: bool = False,
    admin_key: str = "",
) -> AsyncIterator[Door]:
    """The app of a house with the instances `main` and `other`, asked without a socket."""
    settings = Settings(admin_key=admin_key)
    async with open_sqlite(folder / "b.sqlite3") as real:
        store = database or real
        app = app_of(store, settings, stopping=stopping)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(caller, 4711))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
            yield Door(client, store)


def app_of(store: Database, settings: Settings, *, stopping: bool = False) -> QuartTrio:
    """The app on a store, with nobody behind it."""
    dice = SystemDice()
    return create_app(
        House(
            Ports(store, Http2Transport(dice), SystemClock(), UuidIds(), dice),
            Registry(),
            settings,
            Routes({"main": "apns", "other": "apns"}, {"apns": "main"}),
            snapshot=lambda: None,
            stopping=lambda: stopping,
        )
    )


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
