"""Passwords: hashed a few at a time, nobody's password takes as long as somebody's."""

from __future__ import annotations

import threading

import pytest
import trio

from booper import passwords
from booper.domain.errors import Unavailable
from booper.domain.secret import Secret
from booper.passwords import Argon2Passwords

pytestmark = pytest.mark.real


def quick() -> Argon2Passwords:
    return Argon2Passwords(memory=64, rounds=1)


async def test_a_password_is_known_again_and_no_other() -> None:
    desk = quick()
    stored = await desk.hash(Secret("correct horse"))
    assert stored.reveal().startswith("$argon2id$")
    assert await desk.verify(stored, Secret("correct horse"))
    assert not await desk.verify(stored, Secret("correct horsE"))
    assert not await desk.verify(None, Secret("nobody"))
    assert not await desk.verify(Secret("no hash at all"), Secret("x"))
    assert await desk.hash(Secret("correct horse")) != stored


async def test_a_cheaper_hash_of_former_times_is_weak() -> None:
    stored = await quick().hash(Secret("x"))
    assert not quick().weak(stored)
    assert Argon2Passwords(memory=128, rounds=1).weak(stored)


class Counting(Argon2Passwords):
    """Counts how many hash at once."""

    now = peak = 0
    lock = threading.Lock()

    def _check(self, stored: str, password: str) -> bool:
        with self.lock:
            self.now += 1
            self.peak = max(self.peak, self.now)
        found = super()._check(stored, password)
        with self.lock:
            self.now -= 1
        return found


async def test_twenty_at_once_take_turns() -> None:
    desk = Counting(memory=1024, rounds=1)
    stored = await desk.hash(Secret("x"))
    good = []

    async def one() -> None:
        good.append(await desk.verify(stored, Secret("x")))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(one)
    assert good == [True] * 20
    assert 1 <= desk.peak <= passwords.AT_ONCE


async def test_a_crowd_is_turned_away_and_comes_in_later() -> None:
    desk = quick()
    stored = await desk.hash(Secret("x"))
    refused = []

    async def one() -> None:
        try:
            await desk.verify(stored, Secret("x"))
        except Unavailable as error:
            refused.append(error.code)

    async with trio.open_nursery() as nursery:
        for _ in range(passwords.WAITING + 10):
            nursery.start_soon(one)
    assert refused == ["busy"] * 10
    assert await desk.verify(stored, Secret("x"))


async def test_whoever_leaves_the_queue_frees_the_place() -> None:
    desk = quick()
    async with trio.open_nursery() as nursery:
        for _ in range(passwords.WAITING):
            nursery.start_soon(desk.hash, Secret("x"))
        await trio.testing.wait_all_tasks_blocked(0.001)
        nursery.cancel_scope.cancel()
    assert await desk.hash(Secret("x"))
