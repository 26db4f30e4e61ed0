"""The outbox: batches under leases, from fan-out to settlement. The durable mailbox of Booper.

Each function is one step of a notification's journey and safe to repeat: a station may die
between any two of them. Whoever changes a leased row names the lease it holds (fencing); where
it no longer holds it, nothing is written.
"""

from __future__ import annotations

from itertools import chain, starmap
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.delivery import Batch, Target
from booper.domain.fairness import turns
from booper.domain.poison import LAPSE, PROCESS
from booper.ports import Sql
from booper.store import targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.domain.fairness import Hand
    from booper.ports import Tx

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(list[int]).decode


class Claimed(NamedTuple):
    """A leased batch without its targets: whose device tokens are still `sealed`, one for each of
    its `devices`, and when each was last registered."""

    batch: Batch
    devices: list[int]
    sealed: list[bytes]
    registered_at: list[float]
    orphan: bool  # its app was deleted

    def opened(self, tokens: Sequence[str]) -> Batch:
        """The batch ready to send, with its device tokens as `ports.DeviceTokens` opened them."""
        told = zip(self.devices, tokens, self.registered_at, strict=True)
        return msgspec.structs.replace(self.batch, targets=tuple(starmap(Target, told)))


class Held(NamedTuple):
    """A batch and the lease somebody believes to hold on it."""

    batch: int
    lease: str


_CLAIM = Sql(
    "UPDATE batches SET lease = ?, lease_until = ?, leased_by = ? WHERE number IN"
    " (SELECT number FROM batches WHERE instance = ? AND line = ? AND lease IS NULL"
    "  AND due_at <= ? AND deaths = 0 ORDER BY due_at, number LIMIT ?) RETURNING number",
    "UPDATE batches SET lease = $1, lease_until = $2, leased_by = $3 WHERE number IN"
    " (SELECT number FROM batches WHERE instance = $4 AND line = $5 AND lease IS NULL"
    "  AND due_at <= $6 AND deaths = 0 ORDER BY due_at, number LIMIT $7 FOR UPDATE SKIP LOCKED)"
    " RETURNING number",
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
_ORPHAN = "EXISTS (SELECT 1 FROM apps a WHERE a.id = n.tenant AND a.deleted_at IS NOT NULL)"
_LOADED = (
    "SELECT b.number, b.lease, b.notification, n.id, b.instance, b.attempt + 1, n.content,"  # noqa: S608 - our own words
    f" coalesce(n.scheduled_at, n.created_at), n.expires_at, b.line, b.devices, {_ORPHAN}"
    " FROM batches b JOIN notifications n ON n.number = b.notification"
)
_LISTED = 10  # where the devices stand in such a row
_LOAD = Sql(
    f"{_LOADED} WHERE b.number IN (SELECT value FROM json_each(?)) ORDER BY b.number",  # noqa: S608
    f"{_LOADED} WHERE b.number IN (SELECT jsonb_array_elements_text($1::jsonb)::bigint)"
    " ORDER BY b.number",
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


async def claim(
    tx: Tx,
    wants: Mapping[str, Hand],
    *,
    most: int,
    lease: str,
    node: str,
    now: float,
    until: float,
) -> list[Claimed]:
    """Lease due batches for what these instances can take, at most `most` for each, in fair turns:
    the lines in the order of their service, each line's oldest first."""
    numbers: list[int] = []
    for instance, hand in wants.items():
        lines = [line for (line,) in await tx.fetch(_LINES, instance, now)]
        left = most
        for line, count in turns(lines, hand).items():
            some = min(count, left)
            rows = await tx.fetch(_CLAIM, lease, until, node, instance, line, now, some)
            numbers += sorted(number for (number,) in rows)
            left -= len(rows)
            if not left:
                break
    found = {one.batch.number: one for one in await load(tx, numbers)} if numbers else {}
    return [found[number] for number in numbers]


async def load(tx: Tx, numbers: Sequence[int]) -> list[Claimed]:
    """These batches with their targets, oldest first; a device that is no more has no token."""
    rows = await tx.fetch(_LOAD, _encode(numbers).decode())
    lists = [_decode(row[_LISTED]) for row in rows]
    sealed, at = await targets.places(tx, [*chain.from_iterable(lists)])
    claimed = []
    for (*row, line, _, orphan), devices in zip(rows, lists, strict=True):
        tokens = [sealed.get(device, b"") for device in devices]
        registered_at = [at.get(device, 0.0) for device in devices]
        batch = Batch(*(*row, (), line))
        claimed.append(Claimed(batch, devices, tokens, registered_at, bool(orphan)))
    return claimed


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
