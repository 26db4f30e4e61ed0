"""Five healthy tenants beside twenty in trouble: real processes, all the way from `POST` to Apple.

Every tenant is an app with an instance of its own; each healthy one says something to one device
all RATE times a second, whatever became of what it said before. Of the others five each have a
malformed key (and keep sending more of them), a wrong one, a provider that hangs, and a codec with
a bug. Quiet stretches, in which those are stopped, and stretches of trouble take turns, so that a
noisy machine hurts both alike.

A latency is from the moment a push was due to the provider's answer, which takes DELAY. Of each
stretch there is a p50 and a p99; of those of one kind the medians count. `ratio` is the p99 in
trouble divided by the quiet one. `lost` and `duplicates` come from the simulator's ledger;
`restarts` are those of the healthy instances, of the workers that all share, and of whatever
stands above them; `in_trouble` says how many of the twenty were seen to be. The database lies in
memory if there is such a folder: how long a disk flushes changes from second to second.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from itertools import count, cycle
from pathlib import Path
from typing import Any

import httpx
import msgspec
import trio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from booper.bench.haunted import haunted
from booper.bench.street import DELAY, HEALTHY, MALFORMED, TROUBLED, Standing
from booper.clock import SystemClock
from booper.workers import names

RATE = 5.0  # pushes a second of each healthy tenant
DEVICES = 20  # of a troubled one
TROUBLE_EVERY = 2.0  # seconds between two notifications of a troubled one
PATIENCE = 60.0
MEMORY = Path("/dev/shm")  # noqa: S108
WARM = 3.0
SHARED = (
    *(names.NODE, names.HEARTBEAT, names.INSTANCES, names.DELIVERY, names.KEEPER, names.FANOUT),
    *(names.DISPATCHER, names.RECEIPTS, names.JANITOR, names.FRONT),
)
JUNK: tuple[Any, ...] = (
    "-----BEGIN PRIVATE KEY-----\njunk\n-----END PRIVATE KEY-----",
    "",
    "-----BEGIN PRIVATE KEY-----\n" + "A" * 40_000 + "\n-----END PRIVATE KEY-----",
    17,
)
RSA_BITS = 4096  # of a key that is good for something else
SETTINGS = """\
log_level = "warning"
[http]
port = 0
[accounts]
plan = "bench"
[plans.bench]
per_second = 0
per_day = 0
"""


class Tenant(msgspec.Struct):
    """An app, its key, its instance."""

    name: str
    app: str
    key: str


def measure(seconds: float, rounds: int) -> dict[str, float]:
    """The figures of `rounds` quiet and as many noisy stretches of so many seconds."""
    with ExitStack() as stack:
        place = MEMORY if MEMORY.is_dir() else None
        made = tempfile.TemporaryDirectory(prefix="booper-bench-", dir=place)
        folder = Path(stack.enter_context(made))
        street = list[Standing]()
        for kind in ("healthy", "troubled"):
            command = [sys.executable, "-m", "booper.bench.street", str(folder), kind]
            server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
            stack.enter_context(server)  # closes its standard input, which ends it, and waits
            assert server.stdout is not None  # noqa: S101  (asked for above)
            street += msgspec.json.decode(server.stdout.readline(), type=list[Standing])
        places = {one.name: one.place for one in street}
        (folder / "street.json").write_bytes(msgspec.json.encode(places))
        database = f'database = "sqlite:{folder / "bench.sqlite3"}"\n'
        (folder / "booper.toml").write_text(database + SETTINGS)
        return trio.run(_measure, folder, street, seconds, rounds)


async def _measure(
    folder: Path, street: list[Standing], seconds: float, rounds: int
) -> dict[str, float]:
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    async with (
        haunted(folder) as url,
        httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client,
    ):
        neighbours = Neighbours(client, street)
        await neighbours.move_in()
        return await neighbours.run(seconds, rounds)


class Neighbours:
    """All tenants, their load, and what was seen of them."""

    def __init__(self, client: httpx.AsyncClient, street: list[Standing]) -> None:
        self._client = client
        self._street = {one.name: one for one in street}
        self._ledger = self._street[HEALTHY[0]].control_url
        self._tenants: dict[str, Tenant] = {}
        self._owner: dict[str, str] = {}
        self._numbers = count(1)
        self._wall = SystemClock().wall
        self._due: dict[str, tuple[float, int]] = {}  # beginning of an id → when, which stretch
        self._accepted = self._rejected = self._asked = self._refused = 0
        self._stretch = 0  # the noisy ones are odd
        self._junk = (*JUNK, _rsa())
        self._seen: set[str] = set()

    async def move_in(self) -> None:
        """An account, its apps, their instances and devices, all through the front door."""
        person = {"email": "bench@example.com", "password": "a password of the benchmark"}
        opened = await self._ask("POST", "/api/accounts", None, person)
        self._owner = {"Authorization": f"Bearer {opened['access_token']}"}
        for name in self._street:
            app = (await self._ask("POST", "/api/apps", self._owner, {"name": name}))["id"]
            key = (await self._ask("POST", f"/api/apps/{app}/keys", self._owner, {}))["key"]
            self._tenants[name] = tenant = Tenant(name, app, key)
            made = {"name": name, "provider": "apns", "settings": self._street[name].settings}
            await self._ask("POST", f"/api/apps/{app}/instances", self._owner, made)
            for _ in range(1 if name in HEALTHY else DEVICES):
                device = {"provider": "apns", "device_token": f"{next(self._numbers):064x}"}
                await self._ask("POST", "/api/devices", self._by(tenant), device)

    async def run(self, seconds: float, rounds: int) -> dict[str, float]:
        """The figures."""
        await self._turn("stop")
        await self._steady(WARM)
        self._due.clear()
        before = await self._restarts()
        begun = trio.current_time()
        for stretch in range(0, 2 * rounds, 2):
            self._stretch = stretch
            await self._steady(seconds)
            self._stretch = stretch + 1
            async with trio.open_nursery() as nursery:
                for place, name in enumerate(TROUBLED):
                    offset = TROUBLE_EVERY * place / len(TROUBLED)
                    nursery.start_soon(self._noise, self._tenants[name], offset)
                await self._turn("start")
                await self._steady(seconds)
                await self._look()
                nursery.cancel_scope.cancel()
            await self._turn("stop")
        restarts = await self._restarts(trio.current_time() - begun) - before
        times: list[list[float]] = [[] for _ in range(2 * rounds)]
        found = await self._arrived()
        for own, (at, stretch) in self._due.items():
            if own in found:
                times[stretch].append(1000 * (found[own] - at + DELAY))
        summary = await self._get(f"{self._ledger}/ledger/summary")
        quiet, trouble = _cuts(times[::2]), _cuts(times[1::2])
        return {
            "pushes": self._accepted,
            "lost": self._accepted - summary["distinct"],
            "duplicates": summary["duplicates"],
            "rejected": self._rejected,
            "restarts": restarts,
            "in_trouble": len(self._seen),
            "bad_keys": self._asked,
            "bad_keys_refused": self._refused,
            "quiet_p50_ms": quiet[0],
            "quiet_p99_ms": quiet[1],
            "p50_ms": trouble[0],
            "p99_ms": trouble[1],
            "p50_ratio": trouble[0] / quiet[0],
            "ratio": trouble[1] / quiet[1],
        }

    # -- the healthy

    async def _steady(self, seconds: float) -> None:
        """Each healthy tenant in its turn, evenly; over when the last is answered."""
        begun, every = trio.current_time(), 1.0 / (RATE * len(HEALTHY))
        turns = cycle(HEALTHY)
        async with trio.open_nursery() as nursery:
            for n in range(int(seconds / every)):
                await trio.sleep_until(begun + n * every)
                late = trio.current_time() - begun - n * every
                nursery.start_soon(self._say, self._tenants[next(turns)], self._wall() - late)

    async def _say(self, tenant: Tenant, due: float) -> None:
        stretch, body = self._stretch, {"everyone": True, "title": "Hello", "body": "A push"}
        answer = await self._client.post("/api/notify", json=body, headers=self._by(tenant))
        if answer.status_code == 202:
            self._accepted += 1
            self._due[answer.json()["id"][:24]] = (due, stretch)
        else:
            self._rejected += 1

    async def _arrived(self) -> dict[str, float]:
        """When each healthy push was accepted; waits for those under way."""
        found: dict[str, float] = {}
        after, until = 0, trio.current_time() + PATIENCE
        while len(found) < self._accepted and trio.current_time() < until:
            page = await self._get(f"{self._ledger}/ledger?limit=10000&after={after}")
            found |= {entry["push_id"][:24]: entry["time"] for entry in page["entries"]}
            after = page["next"]
            await trio.sleep(0.1)
        return found

    # -- the others

    async def _noise(self, tenant: Tenant, offset: float) -> None:
        """What a troubled one does, until cancelled."""
        await trio.sleep(offset)
        where = f"/api/apps/{tenant.app}/instances/{tenant.name}"
        for junk in cycle(self._junk):
            begun = trio.current_time()
            body = {"everyone": True, "title": "Trouble"}
            await self._client.post("/api/notify", json=body, headers=self._by(tenant))
            if tenant.name in MALFORMED:
                change = {"settings": {"private_key": junk}}
                answer = await self._client.patch(where, json=change, headers=self._owner)
                self._asked += 1
                self._refused += answer.status_code == 422
            await trio.sleep_until(begun + TROUBLE_EVERY)

    async def _look(self) -> None:
        """Who is in trouble now."""
        for name in TROUBLED:
            where = f"/api/apps/{self._tenants[name].app}/instances/{name}"
            standing = (await self._get(where, headers=self._owner))["standing"]
            if standing is None or standing["state"] != "ready" or not standing["accepted"]:
                self._seen.add(name)

    async def _turn(self, verb: str) -> None:
        for name in TROUBLED:
            where = f"/api/apps/{self._tenants[name].app}/instances/{name}/{verb}"
            await self._ask("POST", where, self._owner, None)

    # -- looking

    async def _restarts(self, lately: float = 0.0) -> int:
        """Of everything that the healthy ones need. What has not even been there for so many
        seconds was restarted by somebody."""
        own = {names.instance(f"{self._tenants[name].app}/{name}") for name in HEALTHY}
        total, there, level = 0, 0, [await self._get("/api/admin/tree")]
        while level:
            for child in level:
                if child["id"] in own or child["id"] in SHARED:
                    there += 1
                    total += child["restarts"] + ((child["age"] or 0.0) < lately)
            level = [inner for child in level for inner in child["children"]]
        return total + len(own) + len(SHARED) - there

    async def _get(self, where: str, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = (await self._client.get(where, **more)).raise_for_status().json()
        return found

    async def _ask(
        self, method: str, where: str, by: dict[str, str] | None, body: dict[str, Any] | None
    ) -> dict[str, Any]:
        answer = await self._client.request(method, where, json=body, headers=by)
        if not answer.is_success:
            raise RuntimeError(f"{method} {where}: {answer.text}")
        found: dict[str, Any] = answer.json()
        return found

    def _by(self, tenant: Tenant) -> dict[str, str]:
        return {"Authorization": f"Bearer {tenant.key}"}


def _cuts(stretches: list[list[float]]) -> tuple[float, float]:
    """The median p50 and the median p99."""
    cuts = [statistics.quantiles(times, n=100, method="inclusive") for times in stretches]
    return statistics.median(c[49] for c in cuts), statistics.median(c[98] for c in cuts)


def _rsa() -> str:
    key = rsa.generate_private_key(65537, RSA_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
