"""A scene of the fault plan: nodes, simulated providers, clients, and the reckoning at its end."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections import Counter
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import httpx
import msgspec
import trio

from booper.bench import audience
from booper.demo import CHANNEL
from booper.domain.errors import Misconfigured, Unavailable
from booper.ports import Sql
from booper.settings import Settings
from booper.simulators.apart import Apple
from booper.store.opening import open_database
from booper.store.postgresql import open_postgresql
from tests.booper.faults import accounting
from tests.booper.faults.accounting import Books, Figures
from tests.booper.faults.form import PATIENCE
from tests.booper.faults.nodes import Node
from tests.booper.faults.providers import Provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from booper.ports import Database, Row, Tx
    from tests.booper.faults.clients import Clients
    from tests.booper.faults.cradle import Cradle, Life

_ENDED = Sql("SELECT count(*), count(finished_at) FROM notifications")


class Scene:
    """The parts of one run. `database`: its URL; SQLite in the scene's folder unless told."""

    def __init__(self, cradle: Cradle, folder: Path) -> None:
        self.cradle = cradle
        self.folder = folder
        self.database = f"sqlite:{folder / 'booper.sqlite3'}"
        self.nodes: list[Node] = []
        self.providers: dict[str, Provider] = {}
        self.client = httpx.AsyncClient(timeout=10)
        self._simulators: list[Life] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with trio.CancelScope(shield=True):
            for life in (*(node.life for node in self.nodes if node.starts), *self._simulators):
                life.signal(signal.SIGKILL)
                await life.ended()
            for provider in self.providers.values():
                await provider.aclose()
            await self.client.aclose()

    async def listeners(self, count: int, *, instance: str = "") -> None:
        """So many new devices listen to the channel, of an instance or of the default one."""
        await audience.prepare(self.database, {CHANNEL: count})
        if instance:
            database: Database
            async with self.opened() as database:
                await database.write(_give, instance)

    async def provider(self, name: str = "apns", *, fast: bool = False) -> Provider:
        """A simulated Apple in a process of its own."""
        folder = self.folder / f"provider-{name}"
        folder.mkdir()
        command = ["booper", "simulate", "apns", "--json", "--directory", str(folder)]
        command += ["--fast"] if fast else []
        life = self.cradle.bear(command, folder / "out", folder / "log")
        self._simulators.append(life)
        apple = msgspec.json.decode(await life.first_line(), type=Apple)
        self.providers[name] = Provider(apple)
        return self.providers[name]

    def config(self, name: str = "booper", **tables: Any) -> Path:
        """A settings file: an instance for each provider, the rest as given."""
        path = self.folder / f"{name}.toml"
        for own, provider in self.providers.items():
            tables[f"instances.{own}"] = {"provider": "apns", **provider.table()}
        tables.setdefault("defaults", {"apns": next(iter(self.providers))})
        tables.setdefault("public", {"per_address": 0, "per_channel": 0})
        tables["http"] = {"port": 0}
        tables["keys"] = audience.KEYS
        lines = {"database": self.database, "log_level": "warning", "shutdown": 10.0}
        lines |= {key: it for key, it in tables.items() if not isinstance(it, dict)}
        text = [f"{key} = {json.dumps(it)}" for key, it in lines.items()]
        for table, found in tables.items():
            if isinstance(found, dict):
                text += [f"[{table}]", *(f"{key} = {json.dumps(it)}" for key, it in found.items())]
        path.write_text("\n".join(text))
        return path

    def node(self, config: Path, *, program: Sequence[str] = ("booper", "serve")) -> Node:
        """One that can be started."""
        node = Node(self.cradle, config, f"node-{len(self.nodes)}", program)
        self.nodes.append(node)
        return node

    async def started(self, count: int = 1, **tables: Any) -> list[Node]:
        """So many nodes of one settings file, listening."""
        config = self.config(**tables)
        nodes = [self.node(config) for _ in range(count)]
        async with trio.open_nursery() as nursery:
            for node in nodes:
                nursery.start_soon(node.start)
        return nodes

    async def settled(self, count: int) -> None:
        """Wait until the store has so many notifications, and each of them its end."""
        with trio.fail_after(PATIENCE):
            while not await self._settled(count):
                await trio.sleep(0.1)

    async def _settled(self, count: int) -> bool:
        try:
            async with self.looked_into() as ask:
                while await ask(_ENDED) != [(count, count)]:
                    await trio.sleep(0.05)
        except (Misconfigured, Unavailable):
            return False  # the store is in trouble just now
        return True

    @asynccontextmanager
    async def looked_into(self) -> AsyncIterator[Callable[[Sql], Awaitable[list[Row]]]]:
        """Ask the store something while nodes run."""
        if self.database.startswith("sqlite:"):
            path = self.database.removeprefix("sqlite:")
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:

                async def ask(sql: Sql) -> list[Row]:
                    return file.execute(sql.sqlite).fetchall()

                yield ask
        else:
            async with open_postgresql(self.database, connections=2) as database:
                yield partial(database.read, _fetch)

    async def end(self) -> list[int]:
        """SIGTERM for every node; their exit statuses."""
        for node in self.nodes:
            node.life.signal(signal.SIGTERM)
        return [await node.life.ended() for node in self.nodes]

    def opened(self) -> Any:
        """The store itself; on SQLite no node may be running."""
        return open_database(Settings(database=self.database))

    async def balance(self, clients: Clients) -> Figures:
        """The reckoning, with what the ledgers say; on SQLite no node may be running."""
        ledger: Counter[tuple[str, str]] = Counter()
        for provider in self.providers.values():
            ledger.update(await provider.counts())
        database: Database
        async with self.opened() as database:
            store = await accounting.read(database)
        return accounting.balance(Books(clients.answers, store, ledger))


async def _give(tx: Tx, instance: str) -> None:
    await tx.execute(Sql("UPDATE devices SET instance = ? WHERE instance = ''"), instance)


async def _fetch(tx: Tx, sql: Sql) -> list[Row]:
    return await tx.fetch(sql)
