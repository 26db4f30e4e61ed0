"""kill -9 in the middle of a campaign: nothing is lost, doubles stay within what was in flight."""

from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING

import pytest
import trio

from booper import settings
from booper.demo import prepare
from booper.domain.delivery import BATCH_SIZE
from booper.simulators.apart import simulated_apple
from tests.booper.journeys.processes import Observer, config, served

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.slow]

DEVICES = 20_000
IN_FLIGHT = 8


@pytest.mark.parametrize("part", [0.0, 0.2, 0.4, 0.6])
async def test_kill_9_loses_nothing(tmp_path: Path, part: float) -> None:
    moment = int(DEVICES * (part + random.random() * 0.1))
    async with simulated_apple(tmp_path, fast=False) as apple, Observer(apple) as observer:
        path = config(tmp_path, apple, batches_in_flight=IN_FLIGHT)
        await prepare(settings.load(path, {}), DEVICES)
        async with served(path) as first:
            own = await observer.notify(first)
            await observer.accepted(moment)
            await first.kill()
        before = await observer.ledger()
        assert before["accepted"] < DEVICES, "the kill came too late to prove anything"
        async with served(path) as second:
            shown = await observer.done(second, own)
            assert await second.end() == 0
        after = await observer.ledger()
    assert after["distinct"] == DEVICES, f"lost {DEVICES - after['distinct']} killed at {moment}"
    assert after["duplicates"] <= BATCH_SIZE * IN_FLIGHT
    assert shown["devices"] == shown["counts"]["accepted"] == DEVICES
    assert after["duplicates"] <= shown["maybe_doubled"] <= BATCH_SIZE * IN_FLIGHT


async def test_sigterm_finishes_what_is_in_flight_and_doubles_nothing(tmp_path: Path) -> None:
    async with simulated_apple(tmp_path, fast=False) as apple, Observer(apple) as observer:
        path = config(tmp_path, apple, batches_in_flight=IN_FLIGHT)
        await prepare(settings.load(path, {}), DEVICES)
        async with served(path) as first:
            own = await observer.notify(first)
            await observer.accepted(2_000)
            assert await first.end() == 0
        before = await observer.ledger()
        assert 2_000 <= before["accepted"] < DEVICES
        with sqlite3.connect(tmp_path / "booper.sqlite3") as database:
            (leased,) = database.execute(
                "SELECT count(*) FROM batches WHERE lease IS NOT NULL"
            ).fetchone()
            (settled,) = database.execute("SELECT count(*) FROM every_delivery").fetchone()
        database.close()
        assert leased == 0, "a clean end leaves no lease behind"
        assert settled == before["accepted"], "what was sent is written down"
        async with served(path) as second:
            shown = await observer.done(second, own)
        after = await observer.ledger()
    assert (after["distinct"], after["duplicates"]) == (DEVICES, 0)
    assert shown["maybe_doubled"] == 0


async def test_a_second_signal_ends_it_at_once_and_a_hanging_provider_cannot_hold_it(
    tmp_path: Path,
) -> None:
    async with simulated_apple(tmp_path, fast=False) as apple, Observer(apple) as observer:
        path = config(tmp_path, apple)
        await prepare(settings.load(path, {}), 100)
        await observer.fault(fault={"kind": "dead"})
        async with served(path) as server:
            await observer.notify(server)
            await trio.sleep(0.5)
            server.process.terminate()
            await trio.sleep(0.3)
            with trio.fail_after(5):
                server.process.terminate()
                await server.process.wait()
