"""The outbox: batches under leases, from fan-out to settlement. The durable mailbox of Booper.

Each function is one step of a notification's journey and safe to repeat: a station may die
between any two of them. Whoever changes a leased row names the lease it holds (fencing); where
it no longer holds it, nothing is written.
"""

# ruff: noqa: S608 - what is put together is our own words
from __future__ import annotations

from itertools import chain, starmap
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.delivery import Batch, Target
from booper.domain.fairness import turns
from booper.domain.poison import LAPSE, PROCESS
from booper.ports import Sql, single
from booper.store import targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.domain.fairness import Hand
    from booper.ports import Row, Tx

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(list[int]).decode


class Claimed(NamedTuple):
    """A leased batch without its targets: whose device tokens are still `sealed`, one for each of
    its `devices`, and when each was last registered."""

    batch: Batch
    devices: list[int]
    sealed: list[bytes]
    registered_at: list[float]

    def opened(self, tokens: Sequence[str]) -> Batch:
        """The batch ready to send, with its device tokens as `ports.DeviceTokens` opened them."""
        told = zip(self.devices, tokens, self.registered_at, strict=True)
        return msgspec.structs.replace(self.batch, targets=tuple(starmap(Target, told)))


class Turn(NamedTuple):
    """Up to `most` batches of a line for an instance."""

    instance: str
    line: int
    most: int


class Terms(NamedTuple):
    """A lease: by which node, from when until when (Unix seconds)."""

    lease: str
    node: str
    now: float
    until: float


class Leased(NamedTuple):
    """A leased batch without its targets: its devices; whether its app was deleted."""

    batch: Batch
    devices: list[int]
    orphan: bool

    @property
    def unaddressed(self) -> Batch:
        """The batch, of which nothing can be sent."""
        targets = tuple(Target(device, "", 0.0) for device in self.devices)
        return msgspec.structs.replace(self.batch, targets=targets)


class Held(NamedTuple):
    """A batch and the lease somebody believes to hold on it."""

    batch: int
    lease: str


_ORPHAN = "EXISTS (SELECT 1 FROM apps a WHERE a.id = n.tenant AND a.deleted_at IS NOT NULL)"
_LEASED = (
    "SELECT b.number, b.lease, b.notification, n.id, b.instance, b.attempt + 1, n.content,"
    f" coalesce(n.scheduled_at, n.created_at), n.expires_at, b.line, b.devices, {_ORPHAN}"
    " FROM {} b JOIN notifications n ON n.number = b.notification"
)
_LOAD = Sql(
    f"{_LEASED.format('batches')} WHERE b.number IN (SELECT value FROM json_each(?))"
    " ORDER BY b.number",
    f"{_LEASED.format('batches')} WHERE b.number IN"
    " (SELECT jsonb_array_elements_text($1::jsonb)::bigint) ORDER BY b.number",
)
_CLAIM = Sql(
    "UPDATE batches SET lease = ?, lease_until = ?, leased_by = ? WHERE number IN"
    " (SELECT number FROM batches WHERE instance = ? AND line = ? AND lease IS NULL"
    "  AND due_at <= ? AND deaths = 0 ORDER BY due_at, number LIMIT ?) RETURNING number",
    # What there is to know of them in the same statement: see `_load`.
    "WITH taken AS (UPDATE batches SET lease = $1, lease_until = $2, leased_by = $3 WHERE number IN"
    " (SELECT number FROM batches WHERE instance = $4 AND line = $5 AND lease IS NULL"
    "  AND due_at <= $6 AND deaths = 0 ORDER BY due_at, number LIMIT $7 FOR UPDATE SKIP LOCKED)"
    f" RETURNING *) {_LEASED.format('taken')} ORDER BY b.number",
)
# The lines in which something is due: one look into the index for each line that waits.
_LINES = Sql(
    "WITH RECURSIVE lines (line) AS ("
    " SELECT min(line) FROM batches WHERE instance = ?1 AND lease IS NULL"
    " UNION ALL SELECT (SELECT min(line) FROM batches"
    "  WHERE instance = ?1 AND lease IS NULL AND line > lines.line)"
    " FROM lines WHERE lines.line IS NOT NULL)"
    " SELECT line FROM lines WHERE line IS NOT NULL AND EXISTS (SELECT 1 FROM batches b"
    "  WHERE b.instance = ?1 AND b.lease IS NULL AND b.line = lines.line AND b.due_at <= ?2"
    "  AND b.deaths = 0)"
)
# One look into the index per instance with waiting batches, however many batches there are.
WAITING = (
    "WITH RECURSIVE waiting (instance) AS ("
    " SELECT min(instance) FROM batches WHERE lease IS NULL"
    " UNION ALL SELECT (SELECT min(instance) FROM batches"
    "  WHERE lease IS NULL AND instance > waiting.instance)"
    " FROM waiting WHERE waiting.instance IS NOT NULL)"
)
FIRST_DUE = (
    "(SELECT min(due_at) FROM batches b"
    " WHERE b.instance = waiting.instance AND b.lease IS NULL) AS due_at"
    " FROM waiting WHERE instance IS NOT NULL"
)
_WAITING = Sql(f"{WAITING} SELECT instance, {FIRST_DUE}")
_RENEW = Sql("UPDATE batches SET lease_until = ? WHERE number = ? AND lease = ?")
_FREE = "UPDATE batches SET lease = NULL, lease_until = NULL, leased_by = NULL"
_RELEASE = Sql(f"{_FREE}, due_at = ? WHERE number = ? AND lease = ?")
_DIED = Sql(f"{_FREE}, due_at = ?, deaths = deaths + 1, death = ? WHERE number = ? AND lease = ?")
_DOUBT = Sql(
    "UPDATE notifications SET maybe_doubled = maybe_doubled + coalesce("
    " (SELECT sum(size) FROM batches b WHERE b.notification = notifications.number"
    "  AND b.lease IS NOT NULL AND b.lease_until < ?1), 0)"
    " WHERE number IN (SELECT notification FROM batches"
    "  WHERE lease IS NOT NULL AND lease_until < ?1)"
)
_DOUBT_HELD = Sql(
    "UPDATE notifications SET maybe_doubled = maybe_doubled + b.size FROM batches b"
    " WHERE b.number = ? AND b.lease = ? AND b.notification = notifications.number"
)
_RELEASE_EXPIRED = Sql(
    f"{_FREE}, deaths = deaths + 1, death = ? WHERE lease IS NOT NULL AND lease_until < ?"
)
_DOUBT_OF = Sql(
    "UPDATE notifications SET maybe_doubled = maybe_doubled + coalesce("
    " (SELECT sum(size) FROM batches b WHERE b.notification = notifications.number"
    "  AND b.lease IS NOT NULL AND b.leased_by = ?1), 0)"
    " WHERE number IN (SELECT notification FROM batches"
    "  WHERE lease IS NOT NULL AND leased_by = ?1)"
)
_RELEASE_OF = Sql(f"{_FREE} WHERE lease IS NOT NULL AND leased_by = ?")
_RELEASE_DEAD = Sql(
    f"{_FREE}, deaths = deaths + 1, death = ? WHERE lease IS NOT NULL AND leased_by = ?"
)
_HOLDERS = Sql(
    "SELECT leased_by, count(*) FROM batches WHERE lease IS NOT NULL AND leased_by IS NOT NULL"
    " GROUP BY leased_by"
)
_EXPIRED = Sql("SELECT 1 FROM batches WHERE lease IS NOT NULL AND lease_until < ? LIMIT 1")
_FOREVER = 1e18


@single
async def lines(tx: Tx, instance: str, now: float) -> list[int]:
    """The lines in which something is due for that instance."""
    return [line for (line,) in await tx.fetch(_LINES, instance, now)]


async def take(tx: Tx, turns: Sequence[Turn], terms: Terms, most: int) -> list[Leased]:
    """Lease what is due of these lines, in their order, each line's oldest first; `most` batches
    for an instance."""
    taken: list[Leased] = []
    left = {turn.instance: most for turn in turns}
    for turn in turns:
        if left[turn.instance]:
            part = turn._replace(most=min(turn.most, left[turn.instance]))
            found = await take_one(tx, part, terms)
            left[turn.instance] -= len(found)
            taken += found
    return taken


@single
async def take_one(tx: Tx, turn: Turn, terms: Terms) -> list[Leased]:
    """The same for one line."""
    lease, node, now, until = terms
    place = (turn.instance, turn.line, now, turn.most)
    rows = await tx.fetch(_CLAIM, lease, until, node, *place)
    if tx.near and rows:
        return await load(tx, [number for (number,) in rows])
    return list(map(_leased, rows))


@single
async def located(tx: Tx, leased: Sequence[Leased]) -> list[Claimed]:
    """These with their targets, in order; a device that is no more has no token."""
    sealed, at = await targets.places(tx, [*chain.from_iterable(one.devices for one in leased)])
    claimed = []
    for batch, devices, _ in leased:
        tokens = [sealed.get(device, b"") for device in devices]
        registered_at = [at.get(device, 0.0) for device in devices]
        claimed.append(Claimed(batch, devices, tokens, registered_at))
    return claimed


async def claim(tx: Tx, wants: Mapping[str, Hand], terms: Terms, most: int) -> list[Claimed]:
    """Lease due batches for what these instances can take, at most `most` for each, in fair turns:
    the lines in the order of their service, each line's oldest first."""
    given = [
        turn
        for instance, hand in wants.items()
        for turn in shares(instance, await lines(tx, instance, terms.now), hand)
    ]
    return await located(tx, await take(tx, given, terms, most))


def shares(instance: str, waiting: Sequence[int], hand: Hand) -> list[Turn]:
    """What of the lines that wait the instance is to be given next, in the order of service."""
    return [Turn(instance, line, most) for line, most in turns(waiting, hand).items()]


async def load(tx: Tx, numbers: Sequence[int]) -> list[Leased]:
    """These batches, oldest first."""
    return list(map(_leased, await tx.fetch(_LOAD, _encode(numbers).decode())))


def _leased(row: Row) -> Leased:
    *own, line, listed, orphan = row
    return Leased(Batch(*(*own, (), line)), _decode(listed), bool(orphan))


async def waiting(tx: Tx) -> list[tuple[str, float]]:
    """The instances with waiting batches, and when (Unix seconds) the first of each is due."""
    return [(row[0], row[1]) for row in await tx.fetch(_WAITING)]


async def renew(tx: Tx, held: Sequence[Held], until: float) -> None:
    """Keep leases that are still held; the others stay lost."""
    await tx.execute_many(_RENEW, [(until, batch, lease) for batch, lease in held])


async def release(
    tx: Tx, held: Sequence[Held], due_at: float, *, doubt: bool, death: str = ""
) -> None:
    """Give batches back; they are due again at `due_at`. `doubt`: they may have been sent.
    `death`: what their holder died of."""
    if doubt:
        await tx.execute_many(_DOUBT_HELD, held)
    if death:
        await tx.execute_many(_DIED, [(due_at, death, batch, lease) for batch, lease in held])
    else:
        await tx.execute_many(_RELEASE, [(due_at, batch, lease) for batch, lease in held])


async def release_expired(tx: Tx, now: float, death: str = LAPSE) -> int:
    """Give back every batch whose lease ran out; it may have been sent, and is counted as such."""
    await tx.execute(_DOUBT, now)
    return await tx.execute(_RELEASE_EXPIRED, death, now)


async def expired(tx: Tx, now: float) -> bool:
    """Whether any lease has run out."""
    return bool(await tx.fetch(_EXPIRED, now))


async def release_all(tx: Tx) -> int:
    """Give back every leased batch: for the start of the only process that may hold leases."""
    return await release_expired(tx, _FOREVER, PROCESS)


async def release_of(tx: Tx, node: str, *, died: bool = True) -> int:
    """Give back what a node still holds: after it died, or for its own orderly end."""
    await tx.execute(_DOUBT_OF, node)
    if died:
        return await tx.execute(_RELEASE_DEAD, PROCESS, node)
    return await tx.execute(_RELEASE_OF, node)


async def holders(tx: Tx) -> dict[str, int]:
    """The nodes that hold leases, and how many batches each."""
    return {row[0]: row[1] for row in await tx.fetch(_HOLDERS)}
