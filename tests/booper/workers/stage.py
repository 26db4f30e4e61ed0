"""A stage for token resolvers in virtual time: a real store, scripted sources."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

from actors import Ref, Registry
from booper.clock import UuidIds, entropy
from booper.domain.access import Resolution, Source
from booper.domain.errors import Unavailable
from booper.ports import Ports
from booper.ports.access import Host, Ran
from booper.providers.recipes import Recipe
from booper.seal import KeyRing, new_key
from booper.store.device_tokens import DeviceTokens
from booper.store.server_keys import ServerKeys
from booper.store.sqlite import open_sqlite
from booper.workers import names
from booper.workers.resolvers import Resolvers
from supervisors import Intensity, SupervisorSpec, run_tree, supervisor_spec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from booper.ports import Database
    from booper.wire import Answer, Outlet, Request

SEAL = KeyRing({"test": new_key(entropy)}, entropy)


class Clock:
    """Trio's clock; the wall's may be set apart from it."""

    def __init__(self) -> None:
        self.ahead = 1_800_000_000.0 - trio.current_time()

    def wall(self) -> float:
        return trio.current_time() + self.ahead

    def monotonic(self) -> float:
        return trio.current_time()


class Dice:
    def random(self) -> float:
        return 0.5


class Commands:
    """A program that prints "fresh-1", "fresh-2"…, or what `says` gives, after `takes` seconds."""

    def __init__(self) -> None:
        self.takes = 1.0
        self.runs: list[tuple[str, ...]] = []
        self.says: Callable[[int], Ran] = lambda n: Ran(0, f"fresh-{n}\n".encode())
        self.running = 0

    async def run(
        self, argv: Sequence[str], *, timeout: float, limit: int, extra: Mapping[str, str]
    ) -> Ran:
        self.runs.append(tuple(argv))
        number = len(self.runs)
        self.running += 1
        try:
            with trio.move_on_after(timeout) as scope:
                await trio.sleep(self.takes)
            if scope.cancelled_caught:
                return Ran(None, b"", f"it took more than {timeout:g} seconds")
            return self.says(number)
        finally:
            self.running -= 1


class Files:
    """The files of `there`."""

    def __init__(self) -> None:
        self.there: dict[str, bytes] = {}
        self.reads = 0

    async def read(self, path: str, *, limit: int) -> bytes | None:
        await trio.lowlevel.checkpoint()
        self.reads += 1
        return self.there.get(path)


class Client:
    """An HTTP client that asks `answer`."""

    def __init__(self) -> None:
        self.sent: list[Request] = []
        self.takes = 0.5
        self.answer: Callable[[Request], Answer] | None = None
        self.open = 0

    async def send(self, requests: Sequence[Request], *, timeout: float) -> list[Answer]:
        await trio.sleep(self.takes)
        self.sent += requests
        assert self.answer is not None
        return [self.answer(request) for request in requests]

    async def aclose(self) -> None:
        self.open -= 1


class Transport:
    """Opens that client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def client(self, outlet: Outlet) -> Client:
        self._client.open += 1
        return self._client


class Flaky:
    """A store that can be `away`, and be `slow`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.away = False
        self.slow = 0.0

    async def read(self, work: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        await self._gate()
        return await self._database.read(work, *args)

    async def write(self, work: Callable[..., Awaitable[Any]], *args: Any, **how: Any) -> Any:
        await self._gate()
        return await self._database.write(work, *args, **how)

    async def gather(self, work: Callable[..., Awaitable[Any]], *args: Any, **how: Any) -> Any:
        await self._gate()
        return await self._database.gather(work, *args, **how)

    async def _gate(self) -> None:
        await trio.sleep(self.slow)
        if self.away:
            raise Unavailable("The store is away.", code="store_unavailable")


def recipe(name: str = "shop", **more: Any) -> Recipe:
    """A recipe of a command whose tokens live a day."""
    given: dict[str, Any] = {
        "name": name,
        "preset": "custom",
        "sources": (Source.MANUAL, Source.STORE, Source.FILE, Source.COMMAND),
        "file": "config",
        "file_key": "access_token",
        "command": ("tokens", name),
    }
    return Recipe(**{**given, **more})


class Stage:
    """Resolvers under their supervisor, and everything around them."""

    def __init__(self, database: Database) -> None:
        self.registry = Registry()
        self.clock = Clock()
        self.commands, self.files, self.client = Commands(), Files(), Client()
        self.store = Flaky(database)
        transport: Any = Transport(self.client)
        ids = UuidIds()
        tokens = DeviceTokens(ServerKeys(self.store, SEAL, ids, self.clock), ids)
        self.ports = Ports(self.store, transport, self.clock, ids, Dice(), SEAL, tokens)
        self.resolvers = Resolvers(self.registry, self.ports, Host(self.commands, self.files))

    async def text(self, of: Recipe) -> str:
        """The text of what acquire gives."""
        return text(await self.resolvers.acquire(of))

    async def restart(self, of: Recipe) -> None:
        """What a restart of the process leaves of a resolver: its rows."""
        await Ref(self.registry, names.resolver(of.key)).stop()
        self.resolvers = Resolvers(self.registry, self.ports, Host(self.commands, self.files))


def text(found: Resolution) -> str:
    """The token's text; the test fails if there is none."""
    assert found.access is not None, found.why
    return found.access.text.reveal()


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """Everything started; no crash of a resolver may restart the supervisor above."""
    async with open_sqlite(folder / "b.sqlite3", slow=False) as database:
        play = Stage(database)
        below = SupervisorSpec(
            name=names.RESOLVERS, registry=play.registry, intensity=Intensity(0, 60.0)
        )
        root = SupervisorSpec(children=[supervisor_spec(names.RESOLVERS, below)])
        async with trio.open_nursery() as nursery:
            tree = await nursery.start(run_tree, root)
            yield play
            tree.stop()


async def together(count: int, ask: Callable[[], Awaitable[Any]]) -> list[Any]:
    """What `count` callers at once are told."""
    answers: list[Any] = []

    async def one() -> None:
        answers.append(await ask())

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)
    return answers
