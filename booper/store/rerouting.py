"""Rerouting: what waits for an instance that was deleted goes out another way, or counts as not
configured. Disabled and stopped ones are not concerned: what they would send waits for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.domain.delivery import Ended
from booper.domain.outcome import Kind
from booper.ports import Sql
from booper.store import deliveries, instances, outbox

if TYPE_CHECKING:
    from booper.domain.routing import Router
    from booper.ports import Tx

STEP = 20  # batches in one transaction

_WAITING = Sql(
    "SELECT b.number, b.notification, b.attempt, b.last_reason, b.line, n.tenant"
    " FROM batches b JOIN notifications n ON n.number = b.notification"
    " WHERE b.instance = ?1 AND b.lease IS NULL LIMIT ?2",
    "SELECT b.number, b.notification, b.attempt, b.last_reason, b.line, n.tenant"
    " FROM batches b JOIN notifications n ON n.number = b.notification"
    " WHERE b.instance = $1 AND b.lease IS NULL LIMIT $2 FOR UPDATE OF b SKIP LOCKED",
)
_DEVICES = Sql(
    "SELECT j.value, coalesce(d.provider, ''), coalesce(d.instance, '')"
    " FROM batches b, json_each(b.devices) j LEFT JOIN devices d ON d.number = j.value"
    " WHERE b.number = ? ORDER BY j.key",
    "SELECT j.value::bigint, coalesce(d.provider, ''), coalesce(d.instance, '')"
    " FROM batches b, jsonb_array_elements_text(b.devices::jsonb) WITH ORDINALITY j (value, key)"
    " LEFT JOIN devices d ON d.number = j.value::bigint"
    " WHERE b.number = $1 ORDER BY j.key",
)
_TAKE = Sql("DELETE FROM batches WHERE number = ?")
_BATCH = Sql(
    "INSERT INTO batches (notification, instance, devices, size, attempt, due_at, last_reason,"
    " line) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_COUNT = Sql("UPDATE notifications SET not_configured = not_configured + ? WHERE number = ?")
_DELETED = (Kind.UNROUTED, 0, "the instance that was to send it was deleted")


async def lost(tx: Tx) -> list[str]:
    """The keys that batches wait for and that no instance has."""
    waiting = [key for key, _ in await outbox.waiting(tx)]
    return [key for key in waiting if await instances.find(tx, key) is None]


async def reroute(tx: Tx, routes: Router, key: str, now: float, limit: int = STEP) -> int:
    """Send up to `limit` batches of the deleted instance `key` another way; how many.

    Nothing happens while `routes` still leads there, or somebody made it anew.
    """
    if await instances.find(tx, key) is not None:
        return 0
    done = 0
    for row in await tx.fetch(_WAITING, key, limit):
        number, notification, attempt, reason, line, tenant = row
        runs: dict[str | None, list[int]] = {}
        for device, provider, name in await tx.fetch(_DEVICES, number):
            way = routes.resolve(provider, name, tenant) if provider else None
            runs.setdefault(way, []).append(device)
        if key in runs:
            continue
        await tx.execute(_TAKE, number)
        stranded = runs.pop(None, [])
        for way, run in runs.items():
            devices = msgspec.json.encode(run).decode()
            batch = (notification, way, devices, len(run), attempt, now, reason, line)
            await tx.execute(_BATCH, *batch)
        if stranded:
            final = deliveries.Final(notification, attempt, Ended(*_DELETED, stranded))
            await deliveries.append(tx, [final], now)
            await tx.execute(_COUNT, len(stranded), notification)
            await deliveries.finish(tx, notification, now)
        done += 1
    return done
