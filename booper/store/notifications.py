"""Notifications: written with their first outbox row, read with their account."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.domain.notification import Progress, State
from booper.domain.outcome import Kind
from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.ports import Tx


class Accepted(NamedTuple):
    """A notification as the front door took it; `channel` is a row number, `content` JSON."""

    id: str
    channel: int
    content: str
    created_at: float
    expires_at: float


COUNTED = (Kind.ACCEPTED, Kind.FAILED, Kind.GONE, Kind.EXPIRED, Kind.UNROUTED)

_INSERT = Sql(
    "INSERT INTO notifications (id, channel, content, created_at, expires_at, state)"
    " VALUES (?, ?, ?, ?, ?, 'queued') RETURNING number"
)
_FANOUT = Sql("INSERT INTO fanouts (notification) VALUES (?)")
_PROGRESS = Sql(
    "SELECT n.id, c.name, n.state, n.devices, n.accepted, n.failed, n.gone, n.expired,"
    " n.not_configured, n.retried, n.maybe_doubled, n.created_at, n.finished_at"
    " FROM notifications n JOIN channels c ON c.number = n.channel WHERE n.id = ?"
)


async def accept(tx: Tx, notifications: Sequence[Accepted]) -> None:
    """Write each notification and its fan-out row: after the commit it cannot be forgotten."""
    for notification in notifications:
        ((number,),) = await tx.fetch(_INSERT, *notification)
        await tx.execute(_FANOUT, number)


async def progress(tx: Tx, id: str) -> Progress | None:  # noqa: A002 - the field's own name
    """The account of one notification, or None."""
    rows = await tx.fetch(_PROGRESS, id)
    if not rows:
        return None
    (own, channel, state, devices, *counts, retried, doubled, created, finished) = rows[0]
    return Progress(
        id=own,
        channel=channel,
        state=State(state).value,
        devices=devices,
        pending=devices - sum(counts),
        counts={kind.value: count for kind, count in zip(COUNTED, counts, strict=True)},
        retried=retried,
        maybe_doubled=doubled,
        created_at=created,
        finished_at=finished,
    )
