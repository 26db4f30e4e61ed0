"""The providers' side of the neighbours benchmark: one Apple in order, and many in trouble.

    python -m booper.bench.street FOLDER healthy|troubled

It says in one line of JSON whom it is (`Standing` for every instance there may be), and ends with
its standard input. The troubled ones live in a process of their own: their noise is not ours.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from booper.bench.bugs import PLACES
from booper.simulators.apns import Account, ApnsSimulator, generate_key
from booper.simulators.certificates import Authority
from booper.simulators.control import control_app, serve_control
from booper.simulators.fast import FastApnsSimulator
from booper.simulators.faults import Answer, AnyFault, Dead, Delay, FewStreams, StuckWindow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Work = Callable[[trio.Nursery, Authority, str], Awaitable[list["Standing"]]]

DELAY = 0.02  # seconds between a request to the healthy one and its answer
HEALTHY = tuple(f"healthy-{n}" for n in range(5))
# Five of each kind. A malformed key stands in the row itself; a bug shows at its place.
MALFORMED = tuple(f"malformed-{n}" for n in range(5))
CRASHING = tuple(f"crashing-{place}" for place in (*PLACES, "make"))
WRONG: dict[str, tuple[AnyFault, ...]] = {
    "wrong-key": (),
    "wrong-refused": (Answer(status=403, reason="InvalidProviderToken"),),
    "wrong-expired": (Answer(status=403, reason="ExpiredProviderToken"),),
    "wrong-environment": (Answer(status=403, reason="BadEnvironmentKeyInToken"),),
    "wrong-minted-out": (Answer(status=429, reason="TooManyProviderTokenUpdates"),),
}
HANGING: dict[str, tuple[AnyFault, ...]] = {
    "hanging-answers": (Delay(seconds=3600),),
    "hanging-dead": (Dead(),),
    "hanging-stuck": (StuckWindow(),),
    "hanging-streams": (FewStreams(streams=0),),
    "hanging-silent": (),  # takes the connection, and says nothing for ever
}
TROUBLED = (*MALFORMED, *WRONG, *HANGING, *CRASHING)


class Standing(msgspec.Struct, frozen=True):
    """One instance: its settings, which a tenant may send, and where its Apple is, which the
    house must be told. `control_url`: where the ledger is read."""

    name: str
    settings: dict[str, Any]
    place: dict[str, str]
    control_url: str = ""


def main(folder: Path, kind: str) -> None:
    """Until the standard input ends."""
    authority = Authority()
    ca_file = folder / f"{kind}.pem"
    ca_file.write_text(authority.pem)
    trio.run(_serve, _healthy if kind == "healthy" else _troubled, authority, str(ca_file))


async def _serve(work: Work, authority: Authority, ca_file: str) -> None:
    async with trio.open_nursery() as nursery:
        shown = await work(nursery, authority, ca_file)
        sys.stdout.buffer.write(msgspec.json.encode(shown) + b"\n")
        sys.stdout.buffer.flush()
        async with trio.lowlevel.FdStream(os.dup(0)) as standard_input:
            async for _ in standard_input:
                pass
        nursery.cancel_scope.cancel()


async def _healthy(nursery: trio.Nursery, authority: Authority, ca_file: str) -> list[Standing]:
    keys = [generate_key(key_id=f"KEY{n:07d}") for n in range(len(HEALTHY))]
    account = Account([key.team_key for key in keys])
    apple = FastApnsSimulator(account, authority=authority, delay=DELAY)
    await nursery.start(apple.serve)
    url = await nursery.start(serve_control, control_app("bench", apple.ledger, apple.faults), 0)
    place = {"url": apple.url, "ca_file": ca_file}
    return [
        Standing(name, _settings(key.team_key.key_id, key.private_key_pem), place, url)
        for name, key in zip(HEALTHY, keys, strict=True)
    ]


async def _troubled(nursery: trio.Nursery, authority: Authority, ca_file: str) -> list[Standing]:
    shown = list[Standing]()
    faults: dict[str, tuple[AnyFault, ...]] = {**WRONG, **HANGING}
    for name in TROUBLED:
        key = generate_key()
        apple = ApnsSimulator(Account([key.team_key]), authority=authority)
        for fault in faults.get(name, ()):
            apple.faults.script(fault)
        if name == "hanging-silent":
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, _say_nothing, [listener])
            url = f"https://localhost:{listener.socket.getsockname()[1]}"
        else:
            await nursery.start(apple.serve)
            url = apple.url
        pem = generate_key().private_key_pem if name == "wrong-key" else key.private_key_pem
        place = {"url": url, "ca_file": ca_file}
        shown.append(Standing(name, _settings(key.team_key.key_id, pem), place))
    return shown


def _settings(key_id: str, pem: str) -> dict[str, Any]:
    named = {"key_id": key_id, "team_id": "TEAM123456", "topic": "com.example.app"}
    return {**named, "private_key": pem}


async def _say_nothing(stream: trio.SocketStream) -> None:
    async with stream:
        await trio.sleep(math.inf)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
