"""F8: a provider that is slow, stuck, leaves often, and resets: its own notifications arrive in the
end, doubled only where that was to be feared; the neighbour is not kept waiting; memory stays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from tests.booper.faults.clients import Clients
from tests.booper.faults.form import LONG, either, tell

if TYPE_CHECKING:
    from tests.booper.faults.scene import Scene

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(1200 if LONG else 120)]
DEVICES = either(60, 1_000)  # of each of the two
EACH = either(3, 30)  # notifications in the course of each trouble
GROWTH = 50.0  # MiB

# `times`: so seldom, in the quick form, that no breaker opens and nobody has to wait for its probe.
TROUBLES: dict[str, dict[str, Any]] = {
    "slow": {"fault": {"kind": "delay", "seconds": 30.0}, "times": either(2, 20)},
    "stuck": {"fault": {"kind": "stuckwindow"}, "times": 1},
    "leaving": {"fault": {"kind": "goaway", "after": either(20, 100)}, "times": either(3, 100)},
    "resetting": {"fault": {"kind": "reset", "code": 2}, "times": either(20, 5_000)},
    "refusing": {"fault": {"kind": "reset", "code": 7}, "times": either(20, 5_000)},
    "resetting late": {
        "fault": {"kind": "reset", "code": 2, "accepted": True},
        "times": either(20, 1_000),
    },
}


async def test_f8_a_slow_provider_harms_itself_alone(scene: Scene) -> None:
    good, bad = await scene.provider("good"), await scene.provider("bad")
    await scene.listeners(DEVICES, instance="good")
    await scene.listeners(DEVICES, instance="bad")
    (node,) = await scene.started(
        delivery={"tick": 0.2, "send_timeout": 2.0}, defaults={"apns": "good"}
    )
    clients = Clients([node])
    await clients.run(1, 3)
    await scene.settled(3)
    idle = _resident(node.life.pid)
    for name, script in TROUBLES.items():
        await bad.script(**script)
        begun = trio.current_time()
        await clients.run(2, EACH)
        await good.accepted(len(clients.answers) * DEVICES)
        unhindered = trio.current_time() - begun
        await scene.settled(len(clients.answers))
        await bad.heal()
        summary = await bad.summary()
        tell(
            f"F8 {name}",
            good_seconds=unhindered,
            bad_seconds=trio.current_time() - begun,
            doubles_so_far=summary["duplicates"],
        )
    grown = _resident(node.life.pid) - idle
    assert (await good.summary())["duplicates"] == 0
    assert await node.end() == 0
    figures = await scene.balance(clients)
    tell("F8", grown_mib=grown, **figures._asdict())
    assert grown < GROWTH
    assert node.starts == 1
    assert '"event": "crash"' not in node.said()
    assert figures.lawful
    assert (figures.waiting, figures.failed) == (0, 0)


def _resident(pid: int) -> float:
    """MiB of memory that it has now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))
