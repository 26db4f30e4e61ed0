"""F6: the disk is full, the file is locked: 503, nothing half-written, well without a restart.

What the store itself does, also on a read-only disk: see `store/test_outages.py`."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import trio

from tests.booper.faults.clients import Clients
from tests.booper.faults.form import LONG, PATIENCE, either, tell

if TYPE_CHECKING:
    from tests.booper.faults.scene import Scene

pytestmark = [pytest.mark.real, pytest.mark.timeout(600 if LONG else 120)]
EACH = either(60, 2_000)
ROOM = 262_144  # bytes that a file may have on the full disk
FREE = resource.RLIM_INFINITY


async def test_f6_a_disk_that_says_no(scene: Scene) -> None:
    await scene.listeners(2)
    await scene.provider()
    (node,) = await scene.started(delivery={"tick": 0.2})
    clients = Clients([node])
    path = scene.database.removeprefix("sqlite:")
    await clients.run(4, EACH)
    with trio.fail_after(PATIENCE):
        while (await trio.Path(f"{path}-wal").stat()).st_size < ROOM:
            await clients.run(4, 10)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(clients.run, 4, EACH)
        resource.prlimit(node.life.pid, resource.RLIMIT_FSIZE, (ROOM, FREE))
        await _refused(clients)
        resource.prlimit(node.life.pid, resource.RLIMIT_FSIZE, (FREE, FREE))
    full = clients.refusals[503]
    await scene.settled(len(clients.answers))

    if LONG:  # it is waited for patiently: five seconds before anybody is refused
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clients.run, 4, EACH)
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                await _refused(clients)
                await trio.sleep(5)
                other.execute("ROLLBACK")
        await scene.settled(len(clients.answers))

    assert await node.end() == 0
    assert node.starts == 1
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
    figures = await scene.balance(clients)
    tell("F6", full=full, refused=clients.refusals[503], **figures._asdict())
    assert figures.lawful
    assert (figures.waiting, figures.failed) == (0, 0)


async def _refused(clients: Clients) -> None:
    """Wait until some client has met a 503."""
    before = clients.refusals.get(503, 0)
    with trio.fail_after(PATIENCE):
        while clients.refusals.get(503, 0) == before:
            await trio.sleep(0.01)
