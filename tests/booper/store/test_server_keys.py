"""Server keys: the newest is in use, older ones are believed until they are removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.clock import UuidIds, entropy
from booper.seal import KeyRing, new_key
from booper.store.server_keys import CURSOR, SESSION, TTL, ServerKeys
from tests.booper.store.seeds import rows

if TYPE_CHECKING:
    from booper.ports import Database

RING = {"one": new_key(entropy)}


class Hands:
    """A clock that is set by hand."""

    now = 0.0

    def wall(self) -> float:
        return self.now

    monotonic = wall


def node(database: Database, clock: Hands, ring: dict[str, str] | None = None) -> ServerKeys:
    """The keys as one process sees them."""
    return ServerKeys(database, KeyRing(ring or RING, entropy), UuidIds(), clock)


async def test_the_first_is_made_when_it_is_needed_and_kept(database: Database) -> None:
    clock = Hands()
    one, two = node(database, clock), node(database, clock)
    first = await one.newest(SESSION)
    assert len(first.raw) == 32
    assert await two.newest(SESSION) == first
    assert await one.newest(CURSOR) != first
    assert await one.find(SESSION, first.id) == first
    assert await one.find(CURSOR, first.id) is None
    assert first.secret.reveal() not in repr(first)
    ((sealed,),) = await rows(
        database, f"SELECT sealed FROM server_keys WHERE purpose = '{SESSION}'"
    )
    assert first.secret.reveal() not in sealed


async def test_a_new_one_is_used_at_once_and_the_old_one_still_believed(
    database: Database,
) -> None:
    clock = Hands()
    one, two = node(database, clock), node(database, clock)
    old = await one.newest(SESSION)
    assert await two.newest(SESSION) == old
    new = await one.rotate(SESSION)
    assert (await one.newest(SESSION)).id == new
    assert await two.find(SESSION, new) is not None, "another node's key is looked for at once"
    assert await one.find(SESSION, old.id) == await two.find(SESSION, old.id) == old
    assert not await one.remove(SESSION, new), "the one in use stays"
    assert not await one.remove(CURSOR, old.id)
    assert await one.remove(SESSION, old.id)
    assert await one.find(SESSION, old.id) is None
    clock.now += TTL
    assert await two.find(SESSION, old.id) is None, "within the second elsewhere"
    assert [key.id for key in await two.all(SESSION)] == [new]


async def test_they_are_wrapped_again_when_the_house_s_key_rotates(database: Database) -> None:
    clock = Hands()
    first = await node(database, clock).newest(SESSION)
    both = {"two": new_key(entropy), **RING}
    assert await node(database, clock, both).newest(SESSION) == first
    only = {"two": both["two"]}
    assert await node(database, clock, only).newest(SESSION) == first
