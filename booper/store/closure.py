"""Closure: what a deleted app leaves behind goes, step by step, until nothing of it is there.

Its keys and its instances, with their sealed credentials, go with the deletion itself; its open
work ends where it stands (`outbox.claim`, `fanouts.expand`). The audit of its instances stays.
"""

# ruff: noqa: S608 - what is put together is our own names
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.ports import Sql
from booper.store import instances, retention

if TYPE_CHECKING:
    from booper.domain.wanted import Wanted
    from booper.ports import Tx

DELAY = 60.0  # seconds after which nobody is still at work for it who found it before
ROWS = 1000  # deleted in one transaction
NOTIFICATIONS = 200  # each takes rows of several tables along
WHO = "app deleted"  # in the audit

_NEXT = Sql(
    "SELECT number, id FROM apps WHERE deleted_at IS NOT NULL AND deleted_at < ? AND id > ?"
    " ORDER BY id LIMIT 1"
)
_CHANNELS_OF = "JOIN channels c ON c.number = t.channel WHERE c.app = ? LIMIT ?"
# In this order, so that no row takes many others along.
_OF_APP = (
    Sql(
        "DELETE FROM subscriptions WHERE (channel, device) IN"
        f" (SELECT t.channel, t.device FROM subscriptions t {_CHANNELS_OF})"
    ),
    Sql(
        "DELETE FROM grants WHERE (channel, device) IN"
        f" (SELECT t.channel, t.device FROM grants t {_CHANNELS_OF})"
    ),
    Sql(
        "DELETE FROM members WHERE (app, device) IN"
        " (SELECT app, device FROM members WHERE app = ? LIMIT ?)"
    ),
    Sql(
        "DELETE FROM access_codes WHERE number IN"
        " (SELECT number FROM access_codes WHERE app = ? LIMIT ?)"
    ),
    Sql("DELETE FROM api_keys WHERE number IN (SELECT number FROM api_keys WHERE app = ? LIMIT ?)"),
)
_NOTIFICATIONS = Sql(
    "SELECT n.number FROM notifications n WHERE n.tenant = ?"
    " AND n.number < (SELECT max(number) FROM notifications)"
    f" AND (n.state = 'scheduled' OR (n.finished_at IS NOT NULL AND {retention.SETTLED}))"
    " ORDER BY n.id LIMIT ?"
)
_OPEN = Sql("SELECT 1 FROM notifications WHERE tenant = ? LIMIT 1")
_KEYS = Sql(
    "DELETE FROM idempotency_keys WHERE (caller, key) IN"
    " (SELECT caller, key FROM idempotency_keys WHERE caller = ? LIMIT ?)"
)
_CHANNELS = Sql(
    "DELETE FROM channels WHERE number IN (SELECT number FROM channels WHERE app = ? LIMIT ?)"
)
_TOKENS = Sql("DELETE FROM access_tokens WHERE tenant = ?")
_QUOTAS = Sql("DELETE FROM quotas WHERE tenant = ?")
_APP = Sql("DELETE FROM apps WHERE number = ?")


class Step(NamedTuple):
    """How many rows went; `more`: go on with the apps after `after`."""

    rows: int
    more: bool
    after: str | None


async def seal_off(tx: Tx, own: str, now: float) -> list[Wanted]:
    """Take the deleted app's instances and all its sealed credentials; the instances, as they are
    now: to be told so."""
    await tx.execute(_TOKENS, own)
    return await instances.evict(tx, own, WHO, now)


async def step(tx: Tx, now: float, after: str | None, limit: int = ROWS) -> Step:
    """Delete up to `limit` rows of the next deleted app, and at last the app. What is still on its
    way ends by itself and goes in a later round."""
    found = await tx.fetch(_NEXT, now - DELAY, after or "")
    if not found:
        return Step(0, more=False, after=None)
    ((number, own),) = found
    await seal_off(tx, own, now)  # whoever was just making one has made it by now
    rows = 0
    for sql in _OF_APP:
        if rows < limit:
            rows += await tx.execute(sql, number, limit - rows)
    if rows < limit:
        most = min(NOTIFICATIONS, limit - rows)
        rows += await retention.remove(tx, await tx.fetch(_NOTIFICATIONS, own, most), now)
    if rows < limit:
        rows += await tx.execute(_KEYS, f"app {own}", limit - rows)
    if rows < limit and not await tx.fetch(_OPEN, own):
        rows += await tx.execute(_CHANNELS, number, limit - rows)
        if rows < limit:
            await tx.execute(_QUOTAS, own)
            rows += await tx.execute(_APP, number)
    return Step(rows, more=True, after=after if rows else own)
