"""Clients of the fault plan: each thing is said under a key of its own until a 202 answers it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import trio

from booper.demo import CHANNEL
from tests.booper.faults.form import PATIENCE
from tests.booper.faults.line import Gone, Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.booper.faults.nodes import Node


class Clients:
    """What they heard: `answers`: key → the ids of its 202s; `refusals`: status → how often."""

    def __init__(self, nodes: Sequence[Node], channel: str = CHANNEL) -> None:
        self.nodes = nodes
        self.answers: dict[str, set[str]] = {}
        self.refusals: dict[int, int] = {}
        self.retries = 0
        self._channel = channel
        self._said = 0
        self._dice = random.Random()

    @property
    def ids(self) -> list[str]:
        """All that were accepted."""
        return [own for ids in self.answers.values() for own in ids]

    async def run(self, clients: int, count: int) -> None:
        """`count` notifications, said by so many clients at once; one in twenty is said again."""
        first, self._said = self._said, self._said + count
        keys = iter([f"key-{number}" for number in range(first, first + count)])
        async with trio.open_nursery() as nursery:
            for _ in range(clients):
                nursery.start_soon(self._client, keys)

    async def _client(self, keys: Iterator[str]) -> None:
        line = Line()
        try:
            for key in keys:
                await self.say(key, line)
                if self._dice.random() < 0.05:
                    await self.say(key, line)
        finally:
            await line.aclose()

    async def say(self, key: str, line: Line | None = None, **content: Any) -> str:
        """The id of its 202; tried again, at any node, until then. A 500 fails the test."""
        own = line or Line()
        body = {"channel": self._channel, "title": key, **content}
        try:
            with trio.fail_after(PATIENCE):
                while (found := await self._try(own, key, body)) is None:
                    self.retries += 1
                    await trio.sleep(0.05)
        finally:
            if line is None:
                await own.aclose()
        self.answers.setdefault(key, set()).add(found)
        return found

    async def _try(self, line: Line, key: str, body: dict[str, Any]) -> str | None:
        where = self._dice.choice(self.nodes).url
        try:
            answer = await line.post(where, "/api/notify", body, Idempotency_Key=key)
        except Gone:
            return None
        if answer.status == 202:
            return str(answer.json()["id"])
        assert answer.status in (429, 503), (answer.status, answer.body)
        assert float(answer.headers["retry-after"]) > 0
        self.refusals[answer.status] = self.refusals.get(answer.status, 0) + 1
        return None

    async def answered(self, count: int) -> None:
        """Wait until so many keys have their 202."""
        with trio.fail_after(PATIENCE):
            while len(self.answers) < count:
                await trio.sleep(0.002)
