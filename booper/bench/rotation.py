"""Credentials that change under a steady load: a whole Booper, its servers in another process.

Single pushes go through an instance, one due every EVERY seconds whatever became of those before;
meanwhile its credential is changed through the registrar, as the admin API does. One change in
ten is no good: half of those are no keys at all, half are keys that the provider does not know, to
be found out by asking it (`verify`). Quiet stretches and stretches with changes take turns, so that
a noisy machine hurts both alike.

The figures of each provider begin with its name: `pushes`, `changes`, `invalid` and
`refused_before_swap` (as many), `lost` (pushes not in the provider's ledger), `rejected` (outcomes
other than accepted), `duplicates` (in the ledger), `p99_ms` while credentials change,
`quiet_p99_ms` while not, and their `ratio`. The four counts are also summed up, and `ratio` is the
larger one.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from itertools import count, cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import trio

from actors import Ref
from booper import wiring
from booper.bench.turning import Turning
from booper.domain.content import Content
from booper.domain.delivery import Batch, Target
from booper.domain.errors import Invalid
from booper.domain.outcome import Kind
from booper.domain.wanted import OPERATOR, Editor
from booper.settings import Delivery, Http, Public, Settings
from booper.workers import names
from booper.workers.messages import Push
from booper.workers.trial import insist, tried

if TYPE_CHECKING:
    from collections.abc import Iterator

DELAY = 0.02  # seconds between a request and its answer
EVERY = 0.005
PAUSE = 0.2  # seconds between two changes
STRETCHES = 6
WARM = 1.0
_TOKENS = {"apns": "%064x", "fcm": "registration-token-%08d"}
_CONTENT = msgspec.json.encode(Content(title="Hello", body="while keys change")).decode()
_US = Editor(OPERATOR, "bench")


def measure(changes: int) -> dict[str, float]:
    """The figures of one run."""
    with tempfile.TemporaryDirectory(prefix="booper-bench-") as folder:
        command = [sys.executable, "-m", "booper.bench.turning", folder, str(DELAY)]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        with server:  # closes its standard input, which ends it, and waits
            assert server.stdout is not None  # noqa: S101  (asked for above)
            turning = msgspec.json.decode(server.stdout.readline(), type=list[Turning])
            return trio.run(_measure, Path(folder), turning, changes)


async def _measure(folder: Path, turning: list[Turning], changes: int) -> dict[str, float]:
    settings = Settings(
        database=f"sqlite:{folder / 'bench.sqlite3'}",
        shutdown=5.0,
        http=Http(port=0),
        public=Public(per_address=0, per_channel=0),
        delivery=Delivery(),
    )
    figures: dict[str, float] = {}
    async with trio.open_nursery() as nursery:
        booper: wiring.Booper = await nursery.start(wiring.run, settings)
        for one in turning:
            found = await Load(booper, one).run(changes)
            figures |= {f"{one.provider}_{name}": value for name, value in found.items()}
        booper.stop()
    kinds = [one.provider for one in turning]
    for name in ("lost", "rejected", "duplicates", "invalid", "refused_before_swap"):
        figures[name] = sum(figures[f"{kind}_{name}"] for kind in kinds)
    figures["ratio"] = max(figures[f"{kind}_ratio"] for kind in kinds)
    return figures


class Load:
    """A steady load on one instance, and what changes it."""

    def __init__(self, booper: wiring.Booper, turning: Turning) -> None:
        self._booper = booper
        self._turning = turning
        self._ref = Ref(booper.registry, names.instance(turning.provider + "-bench"))
        self._numbers = count(1)
        self._good = cycle(turning.credentials[1:-1] + turning.credentials[:1])
        self._wrong: Iterator[dict[str, Any]] = cycle(
            [dict.fromkeys(turning.credentials[-1], "no key"), turning.credentials[-1]]
        )
        self._times: list[float] = []
        self._rejected = self._refused = 0

    async def run(self, changes: int) -> dict[str, float]:
        """The figures of one provider."""
        registrar, turning = self._booper.registrar, self._turning
        name = turning.provider + "-bench"
        first = {**turning.settings, **turning.credentials[0]}
        await registrar.create(_US, name, turning.provider, first)
        while self._ref.statistics() is None:  # noqa: ASYNC110 - it has nobody to tell us
            await trio.sleep(0.01)
        await self._steady(WARM)
        quiet, busy, wrong = list[float](), list[float](), 0
        due = [n % 10 == 9 for n in range(changes)]
        parts = [due[n::STRETCHES] for n in range(STRETCHES)]
        for part in parts:
            self._times = quiet
            await self._steady(len(part) * PAUSE / 2)
            self._times = busy
            wrong += sum(part)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._steady, len(part) * PAUSE)
                for is_wrong in part:
                    nursery.start_soon(self._change, name, is_wrong)
                    await trio.sleep(PAUSE)
        pushes = next(self._numbers) - 1
        async with httpx.AsyncClient() as client:
            ledger = (await client.get(f"{turning.control_url}/ledger/summary")).json()
        calm, turbulent = _p99(quiet), _p99(busy)
        return {
            "pushes": pushes,
            "changes": changes,
            "invalid": wrong,
            "refused_before_swap": self._refused,
            "lost": pushes - ledger["distinct"],
            "rejected": self._rejected,
            "duplicates": ledger["duplicates"],
            "quiet_p99_ms": calm,
            "p99_ms": turbulent,
            "ratio": turbulent / calm,
        }

    async def _steady(self, seconds: float) -> None:
        """A push every EVERY seconds; over when the last is answered."""
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            for n in range(max(int(seconds / EVERY), 1)):
                await trio.sleep_until(begun + n * EVERY)
                nursery.start_soon(self._one, begun + n * EVERY)

    async def _one(self, due: float) -> None:
        number, now = next(self._numbers), self._booper.ports.clock.wall()
        batch = Batch(
            number=0,
            lease="",
            notification=0,
            notification_id=self._booper.ports.ids.mint(),
            instance="bench",
            attempt=1,
            content=_CONTENT,
            created_at=now,
            expires_at=now + 60.0,
            targets=(Target(number, _TOKENS[self._turning.provider] % number, now),),
        )
        (outcome,) = await self._ref.call(Push(batch), 30.0)
        self._times.append(1000 * (trio.current_time() - due))
        if outcome.kind is not Kind.ACCEPTED:
            self._rejected += 1

    async def _change(self, name: str, wrong: bool) -> None:  # noqa: FBT001
        registrar, ports = self._booper.registrar, self._booper.ports
        patch = next(self._wrong) if wrong else next(self._good)
        try:
            if wrong:
                proposed = await registrar.proposed(_US, name, patch)
                codec = registrar.safe.prove(OPERATOR, name, self._turning.provider, proposed)
                insist(await tried(self._turning.provider, codec, ports, Delivery()))
            await registrar.reconfigure(_US, name, patch)
        except Invalid:
            self._refused += 1


def _p99(milliseconds: list[float]) -> float:
    return statistics.quantiles(milliseconds, n=100, method="inclusive")[98]
