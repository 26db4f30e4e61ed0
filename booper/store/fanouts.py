"""Fan-out: an audience becomes batches, page by page, with a stored position."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.delivery import BATCH_SIZE, Result
from booper.domain.notification import MACHINE, Event, State
from booper.domain.outcome import Kind, Outcome
from booper.ports import Sql
from booper.store import deliveries

if TYPE_CHECKING:
    from booper.domain.routing import Routes
    from booper.ports import Tx

PAGE = 5_000  # devices a transaction: some milliseconds, so that others get their turn

_NEXT = Sql(
    "SELECT f.notification, f.position, n.channel FROM fanouts f"
    " JOIN notifications n ON n.number = f.notification"
    " WHERE f.notification > ? ORDER BY f.notification LIMIT 1"
)
_AUDIENCE = Sql(
    "SELECT s.device, d.provider, d.instance FROM subscriptions s"
    " JOIN devices d ON d.number = s.device"
    " WHERE s.channel = ? AND s.device > ? AND d.gone_at IS NULL ORDER BY s.device LIMIT ?"
)
_BATCH = Sql(
    "INSERT INTO batches (notification, instance, devices, size, due_at) VALUES (?, ?, ?, ?, ?)"
)
_ADVANCE = Sql("UPDATE fanouts SET position = ? WHERE notification = ?")
_COUNT = Sql(
    "UPDATE notifications SET devices = devices + ?, not_configured = not_configured + ?"
    " WHERE number = ?"
)
_END = Sql("DELETE FROM fanouts WHERE notification = ?")
_STATE = Sql("UPDATE notifications SET state = ? WHERE number = ? AND state = ?")
_UNROUTED = Outcome(Kind.UNROUTED, 0, "no instance sends for this device")


class Page(NamedTuple):
    """What one step did. `last`: the notification's audience is all cut into batches now."""

    notification: int
    devices: int
    last: bool


async def expand(tx: Tx, routes: Routes, after: int, now: float, size: int = PAGE) -> Page | None:
    """Cut one page of the next waiting audience (the first notification number above `after`,
    else the lowest) into batches; None: nothing waits."""
    rows = await tx.fetch(_NEXT, after) or await tx.fetch(_NEXT, 0)
    if not rows:
        return None
    notification, position, channel = rows[0]
    audience = await tx.fetch(_AUDIENCE, channel, position, size)
    runs: dict[str | None, list[int]] = {}
    for device, provider, instance in audience:
        runs.setdefault(routes.resolve(provider, instance), []).append(device)
    unrouted = runs.pop(None, [])
    await tx.execute_many(
        _BATCH,
        [
            (notification, instance, msgspec.json.encode(run).decode(), len(run), now)
            for instance, whole in runs.items()
            if instance is not None
            for run in (whole[i : i + BATCH_SIZE] for i in range(0, len(whole), BATCH_SIZE))
        ],
    )
    results = [Result(device, _UNROUTED) for device in unrouted]
    await deliveries.append(tx, notification, results, 0, now)
    await tx.execute(_COUNT, len(audience), len(unrouted), notification)
    last = len(audience) < size
    if last:
        await tx.execute(_END, notification)
        sending = MACHINE.step(State.QUEUED, Event.FANNED_OUT)
        await tx.execute(_STATE, sending.value, notification, State.QUEUED.value)
        await deliveries.finish(tx, notification, now)
    else:
        await tx.execute(_ADVANCE, audience[-1][0], notification)
    return Page(notification, len(audience), last)
