"""Device tokens at rest: sealed one by one, opened many at once, found by their fingerprints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from booper.clock import SystemClock, UuidIds, entropy
from booper.seal import KeyRing, new_key
from booper.store import devices
from booper.store.device_tokens import PAGE, DeviceTokens
from booper.store.server_keys import DEVICE_MARK, DEVICE_TOKEN, ServerKeys
from tests.booper.store.seeds import NOW, registration, rows

if TYPE_CHECKING:
    from booper.ports import Database

SEAL = KeyRing({"test": new_key(entropy)}, entropy)
TEXTS = ["ab" * 32, "", "Zoë \U0001f511", "x" * 4096, '{"endpoint":"https://a.example"}']


def kept_by(database: Database) -> tuple[DeviceTokens, ServerKeys]:
    """As a process that has just started has them."""
    keys = ServerKeys(database, SEAL, UuidIds(), SystemClock())
    return DeviceTokens(keys, UuidIds()), keys


async def test_what_is_sealed_opens_in_another_process_and_shows_nothing(
    database: Database,
) -> None:
    here, there = kept_by(database)[0], kept_by(database)[0]
    kept = [await here.keep(text) for text in TEXTS]
    assert await there.open([one.sealed for one in kept]) == TEXTS
    assert [await there.fingerprint(text) for text in TEXTS] == [one.fingerprint for one in kept]
    assert len({one.fingerprint for one in kept}) == len(TEXTS)
    assert (await here.keep(TEXTS[0])).sealed != kept[0].sealed
    assert TEXTS[0].encode() not in kept[0].sealed


async def test_an_older_key_still_opens_and_nothing_is_lost_by_a_new_one(
    database: Database,
) -> None:
    tokens, keys = kept_by(database)
    old = await tokens.keep("one")
    await keys.rotate(DEVICE_TOKEN)
    new = await tokens.keep("two")
    assert old.sealed[:17] != new.sealed[:17], "the key is named"
    assert await kept_by(database)[0].open([old.sealed, new.sealed]) == ["one", "two"]


async def test_one_that_was_changed_is_as_if_it_were_not_there(database: Database) -> None:
    tokens, _ = kept_by(database)
    good = (await tokens.keep("good")).sealed
    bad = [good[:-1] + b"?", good[:20], b"\x01", b"\x01" + bytes(60), b"\xff"]
    assert await tokens.open([good, *bad, b"", good]) == ["good", *[""] * 6, "good"]


async def test_what_lies_open_from_before_is_read_and_then_sealed(database: Database) -> None:
    tokens, _ = kept_by(database)
    count = PAGE + 3
    old = [registration(number) for number in range(count)]
    ids = await database.write(devices.register, old, NOW)
    assert await tokens.open([old[0].fingerprint.encode()]) == [old[0].fingerprint]
    assert await tokens.seal_old(database) == count
    assert await tokens.seal_old(database) == 0
    stored = await rows(database, "SELECT fingerprint, sealed FROM devices ORDER BY number")
    assert await tokens.open([sealed for _, sealed in stored]) == [one.fingerprint for one in old]
    plain = {one.fingerprint for one in old}
    assert [mark for mark, _ in stored if mark in plain] == []
    mark = await tokens.fingerprint(old[7].fingerprint)
    found = await database.read(devices.find_by_token, mark)
    assert found == [await database.read(devices.find, ids[7])]


@pytest.mark.parametrize("purpose", [DEVICE_MARK, DEVICE_TOKEN])
async def test_nodes_that_start_at_once_agree_on_the_first_key(
    database: Database, purpose: str
) -> None:
    found: list[str] = []

    async def start() -> None:
        _, keys = kept_by(database)
        found.append((await keys.newest(purpose)).id)

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(start)
    assert len(found) == 8
    assert len(set(found)) == 1
