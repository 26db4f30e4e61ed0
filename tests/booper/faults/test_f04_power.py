"""F4: power loss. The kernel's own record of a node shows that what a 202 names was flushed before
the 202 was said. That the files are whole at every moment: see `store/test_power_loss.py`."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trio

from tests.booper.faults.clients import Clients
from tests.booper.faults.form import either, tell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.booper.faults.nodes import Node
    from tests.booper.faults.scene import Scene

pytestmark = pytest.mark.real
COUNT = either(20, 500)
_CALLS = "pwrite64,write,fdatasync,fsync,sendto,sendmsg,writev"
_CALL = re.compile(r"(\d+) +(\w+)\((\d+)<([^>]*)>(.*)")
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>")
_SAID = re.compile(r"HTTP/1\.1 202.*?/api/notifications/([0-9a-f-]{36})")


class Order(NamedTuple):
    """What the record shows, by notification: when (line) it was written, flushed, and said."""

    written: dict[str, int]
    flushed: dict[str, int]
    said: dict[str, int]


def order(record: str, ids: list[str]) -> Order:
    """Read a record line by line; a call that was interrupted counts where it ended."""
    found, waiting = Order({}, {}, {}), dict[str, str]()
    unflushed: set[str] = set()
    for number, line in enumerate(record.splitlines()):
        text = line
        if (resumed := _RESUMED.match(line)) is not None:
            text = waiting.pop(resumed[1], "").replace("<unfinished ...>", "") + " = 0"
        elif line.endswith("<unfinished ...>"):
            waiting[line.split()[0]] = line
            if "sendto" not in line and "writev" not in line and "sendmsg" not in line:
                continue  # a flush is one when it has ended, an answer when it begins
        call = _CALL.match(text)
        if call is None:
            continue
        _, name, _, place, rest = call.groups()
        if name in ("fdatasync", "fsync") and place.endswith("-wal"):
            found.flushed.update(dict.fromkeys(unflushed - found.flushed.keys(), number))
            unflushed.clear()
        elif place.endswith("-wal"):
            new = {own for own in ids if own in rest}
            found.written.update(dict.fromkeys(new - found.written.keys(), number))
            unflushed |= new
        elif (said := _SAID.search(rest)) is not None:
            found.said.setdefault(said[1], number)
    return found


async def test_f4_nothing_is_acknowledged_before_it_is_flushed(scene: Scene) -> None:
    if shutil.which("strace") is None:
        pytest.skip("NOT RUN: no strace here")
    await scene.listeners(1)
    await scene.provider()
    (node,) = await scene.started()
    clients, record = Clients([node]), scene.folder / "calls"
    tracer = await _traced(node, record)
    await clients.run(4, COUNT)
    await scene.settled(COUNT)
    tracer.send_signal(signal.SIGINT)
    await trio.to_thread.run_sync(tracer.wait)
    assert await node.end() == 0

    found = order(record.read_text("utf-8", "replace"), clients.ids)
    early = [own for own, at in found.said.items() if found.flushed.get(own, at) >= at]
    tell("F4", said=len(found.said), written=len(found.written), early=len(early))
    assert found.said.keys() == set(clients.ids), "the record misses answers: it shows nothing"
    assert early == []
    figures = await scene.balance(clients)
    assert figures.lawful


async def _traced(node: Node, record: Path) -> subprocess.Popen[bytes]:
    """A tracer that has taken hold of the node; skips where that is forbidden."""
    command = ["strace", "-f", "-y", "-s", "20000", "-e", f"trace={_CALLS}", "-o", str(record)]
    words = record.with_name("strace")
    with words.open("wb") as file:
        tracer = subprocess.Popen([*command, "-p", str(node.life.pid)], stderr=file)  # noqa: ASYNC220
    with trio.fail_after(60):
        while "attached" not in (said := words.read_text()):
            if tracer.poll() is not None:
                pytest.skip(f"NOT RUN: strace may not look: {said}")
            await trio.sleep(0.02)
    return tracer


def test_a_202_before_its_flush_would_be_seen() -> None:
    own = "019aa5c2-0000-7000-8000-00000000000a"
    write = f'7 pwrite64(9</x/b.sqlite3-wal>, "..{own}..", 24, 0) = 24'
    flush = "7 fdatasync(9</x/b.sqlite3-wal>) = 0"
    said = f'7 sendto(12<TCP:[1]>, "HTTP/1.1 202 \\r\\n … /api/notifications/{own}", 9, 0) = 9'
    good = order("\n".join((write, flush, said)), [own])
    assert (good.written, good.flushed, good.said) == ({own: 0}, {own: 1}, {own: 2})
    late = order("\n".join((write, said, flush)), [own])
    assert late.flushed[own] > late.said[own]
    begun = ["7 fdatasync(9</x/b.sqlite3-wal> <unfinished ...>", "7 <... fdatasync resumed>) = 0"]
    split = order("\n".join((write, begun[0], said.replace("7", "8", 1), begun[1])), [own])
    assert split.flushed[own] > split.said[own]
