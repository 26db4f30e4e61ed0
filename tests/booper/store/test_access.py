"""Access tokens over a restart: sealed, in order, each at its place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from booper.clock import entropy
from booper.domain.access import AccessToken
from booper.domain.errors import Unsealable
from booper.domain.secret import Secret
from booper.ports import Sql
from booper.seal import KeyRing, new_key
from booper.store.access import CACHED, MANUAL, Whose, drop, load, save

if TYPE_CHECKING:
    from booper.ports import Database

NOW = 1_800_000_000.0
SHOP, CLUB = Whose("shop", "google"), Whose("club", "google")
KEY = new_key(entropy)
SEAL = KeyRing({"one": KEY}, entropy)


def access(text: str, minted: float = NOW, ends: float = NOW + 3600) -> AccessToken:
    return AccessToken(Secret(text), minted, math.inf, ends)


async def text_of(database: Database, whose: Whose, kind: str = CACHED) -> str | None:
    found = await database.read(load, SEAL, whose, kind)
    return None if found is None else found.text.reveal()


async def test_it_comes_back_as_it_was(database: Database) -> None:
    assert await database.read(load, SEAL, SHOP, CACHED) is None
    assert await database.write(save, SEAL, SHOP, CACHED, access("first"), NOW)
    assert await database.write(save, SEAL, SHOP, MANUAL, access("mine", ends=math.inf), NOW)
    cached = await database.read(load, SEAL, SHOP, CACHED)
    manual = await database.read(load, SEAL, SHOP, MANUAL)
    assert cached is not None
    assert manual is not None
    assert (cached.text, cached.minted_at, cached.expires_at) == (Secret("first"), NOW, NOW + 3600)
    assert (manual.text, manual.expires_at) == (Secret("mine"), math.inf)
    assert await text_of(database, CLUB) is None


async def test_w11_an_older_token_is_never_stored_over_a_newer_one(database: Database) -> None:
    await database.write(save, SEAL, SHOP, CACHED, access("new", NOW + 5), NOW + 5)
    assert not await database.write(save, SEAL, SHOP, CACHED, access("old", NOW), NOW + 6)
    assert await text_of(database, SHOP) == "new"
    # The wall clock went back: what is minted at the same moment still replaces it.
    assert await database.write(save, SEAL, SHOP, CACHED, access("newer", NOW + 5), NOW - 100)
    assert await text_of(database, SHOP) == "newer"


async def test_an_override_is_always_taken(database: Database) -> None:
    await database.write(save, SEAL, SHOP, MANUAL, access("a", NOW + 5), NOW + 5)
    assert await database.write(save, SEAL, SHOP, MANUAL, access("b", NOW - 5), NOW - 5)
    assert await text_of(database, SHOP, MANUAL) == "b"


async def test_w11_the_file_holds_no_token_and_a_row_opens_nowhere_else(database: Database) -> None:
    await database.write(save, SEAL, SHOP, CACHED, access("canary"), NOW)
    await database.write(save, SEAL, CLUB, CACHED, access("other"), NOW)
    rows = await database.read(lambda tx: tx.fetch(Sql("SELECT * FROM access_tokens")))
    assert "canary" not in repr(rows)
    swap = Sql(
        "UPDATE access_tokens SET (sealed, version) ="
        " (SELECT sealed, version FROM access_tokens WHERE tenant = 'shop') WHERE tenant = 'club'"
    )
    await database.write(lambda tx: tx.execute(swap))
    with pytest.raises(Unsealable):
        await database.read(load, SEAL, CLUB, CACHED)
    # Replacing it or forgetting it heals the row.
    assert await database.write(save, SEAL, CLUB, CACHED, access("fresh", NOW + 1), NOW + 1)
    assert await text_of(database, CLUB) == "fresh"


async def test_only_the_rejected_one_is_forgotten(database: Database) -> None:
    async def forget(text: Secret | None = None, before: float = math.inf) -> bool:
        return await database.write(
            lambda tx: drop(tx, SEAL, SHOP, CACHED, text=text, before=before)
        )

    assert not await forget()
    await database.write(save, SEAL, SHOP, CACHED, access("good"), NOW)
    assert not await forget(Secret("bad"))
    assert not await forget(before=NOW - 1)
    assert await text_of(database, SHOP) == "good"
    assert await forget(Secret("good"))
    assert await text_of(database, SHOP) is None
    await database.write(save, SEAL, SHOP, CACHED, access("again"), NOW)
    assert await forget(before=NOW)


async def test_one_that_does_not_open_is_forgotten(database: Database) -> None:
    other = KeyRing({"two": new_key(entropy)}, entropy)
    await database.write(save, other, SHOP, CACHED, access("lost"), NOW)
    assert await database.write(lambda tx: drop(tx, SEAL, SHOP, CACHED, text=Secret("bad")))


async def test_long_expired_ones_are_swept_away_and_overrides_are_not(database: Database) -> None:
    past = NOW - 2 * 86_400
    await database.write(save, SEAL, CLUB, CACHED, access("old", past, past + 60), past)
    await database.write(save, SEAL, CLUB, MANUAL, access("mine", past, past + 60), past)
    await database.write(save, SEAL, SHOP, CACHED, access("new"), NOW)
    assert await text_of(database, CLUB) is None
    assert await text_of(database, CLUB, MANUAL) == "mine"
