"""Fan-out: an audience becomes batches, page by page, with a stored position."""

# ruff: noqa: S608 - what is put together is our own words
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.delivery import BATCH_SIZE, Result
from booper.domain.fairness import line_of
from booper.domain.notification import MACHINE, Event, State
from booper.domain.outcome import Kind, Outcome
from booper.ports import Sql
from booper.store import audiences, deliveries
from booper.store.audiences import Whom

if TYPE_CHECKING:
    from booper.domain.routing import Router
    from booper.ports import Tx

PAGE = 5_000  # devices a transaction: some milliseconds, so that others get their turn
TURNS = 32  # audiences a transaction: small ones share its price

_COLUMNS = (
    "SELECT f.notification, f.position, f.urgent, c.number, n.tenant, a.number, n.audience,"
    " a.deleted_at IS NOT NULL OR n.number IS NULL"
    " FROM fanouts f LEFT JOIN notifications n ON n.number = f.notification"
    " LEFT JOIN channels c ON c.number = n.channel AND c.deleted_at IS NULL"
    " LEFT JOIN apps a ON a.id = n.tenant AND n.tenant <> ''"
)


def _first(where: str, lock: str) -> str:
    return f"(SELECT notification FROM fanouts WHERE {where} ORDER BY notification LIMIT 1 {lock})"


def _turn(after: str, again: str, lock: str) -> str:
    """Urgent ones before all others; of each kind the first behind `after`, else the very first."""
    return (
        f"coalesce({_first(f'urgent = 1 AND notification > {after}', lock)},"
        f" CASE WHEN {again} = 1 THEN {_first('urgent = 1', lock)} END,"
        f" {_first(f'notification > {after}', lock)},"
        f" CASE WHEN {again} = 1 THEN {_first('notification > 0', lock)} END)"
    )


_NEXT = Sql(
    f"{_COLUMNS} WHERE f.notification = {_turn('?1', '?2', '')}",
    f"WITH turn AS MATERIALIZED (SELECT {_turn('$1', '$2::int', 'FOR UPDATE SKIP LOCKED')} AS n)"
    # Locked here as well: else its position would be that of before whoever had it last.
    f" {_COLUMNS} WHERE f.notification = (SELECT n FROM turn) FOR UPDATE OF f",
)
_BATCH = Sql(
    "INSERT INTO batches (notification, instance, devices, size, due_at, line)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_ADVANCE = Sql("UPDATE fanouts SET position = ? WHERE notification = ?")
_COUNT = Sql(
    "UPDATE notifications SET devices = devices + ?, not_configured = not_configured + ?"
    " WHERE number = ?"
)
_SPREAD = (
    "devices + ?1 = accepted + failed + gone + expired + not_configured + ?2"
    " + delivered + receipt_unknown"
)
_COUNT_LAST = Sql(
    "UPDATE notifications SET devices = devices + ?1, not_configured = not_configured + ?2,"
    f" state = CASE WHEN state <> ?7 THEN state WHEN {_SPREAD} THEN ?3 ELSE ?4 END,"
    f" finished_at = CASE WHEN state = ?7 AND {_SPREAD} THEN ?5 ELSE finished_at END"
    " WHERE number = ?6"
)
_END = Sql("DELETE FROM fanouts WHERE notification = ?")
_STATE = Sql("UPDATE notifications SET state = ? WHERE number = ? AND state = ?")
_CANCEL = Sql("UPDATE notifications SET state = ?, finished_at = ? WHERE number = ?")
_DUE = Sql(
    "DELETE FROM schedules WHERE notification IN"
    " (SELECT notification FROM schedules WHERE due_at <= ? ORDER BY due_at LIMIT ?)"
    " RETURNING notification",
    "DELETE FROM schedules WHERE notification IN"
    " (SELECT notification FROM schedules WHERE due_at <= $1 ORDER BY due_at LIMIT $2"
    "  FOR UPDATE SKIP LOCKED) RETURNING notification",
)
_QUEUE = Sql(
    "INSERT INTO fanouts (notification, urgent)"
    " SELECT number, urgent FROM notifications WHERE number = ?"
)
_FIRST_DUE = Sql("SELECT min(due_at) FROM schedules")
_UNROUTED = Outcome(Kind.UNROUTED, 0, "no instance sends for this device")


class Page(NamedTuple):
    """What one step did. `last`: the notification's audience is all cut into batches now."""

    notification: int
    devices: int
    last: bool


async def advance(tx: Tx, routes: Router, after: int, now: float) -> Page | None:
    """Pages of waiting audiences in turn, until about PAGE devices are cut into batches or all had
    one; the last of them, or None: nothing waits."""
    last, devices = None, 0
    for _ in range(TURNS):
        page = await expand(tx, routes, after, now, again=last is None)
        if page is None:
            break
        last, after, devices = page, page.notification, devices + page.devices
        if devices >= PAGE:
            break
    return last


async def expand(
    tx: Tx, routes: Router, after: int, now: float, size: int = PAGE, *, again: bool = True
) -> Page | None:
    """Cut one page of the next waiting audience (the first notification number above `after`,
    with `again` else the lowest; urgent ones before all others) into batches; None: there is
    none."""
    rows = await tx.fetch(_NEXT, after, int(again))
    if not rows:
        return None
    notification, position, urgent, channel, tenant, app, named, orphan = rows[0]
    if orphan:
        await _break_off(tx, notification, position, now)
        return Page(notification, 0, last=True)
    whom = Whom(notification, channel, app, named)
    audience = await audiences.page(tx, whom, position, size)
    ways: dict[tuple[str, str], list[int]] = {}
    for device, provider, instance in audience:
        ways.setdefault((provider, instance), []).append(device)
    runs: dict[str | None, list[int]] = {}
    for (provider, instance), some in ways.items():
        runs.setdefault(routes.resolve(provider, instance, tenant), []).extend(some)
    unrouted = runs.pop(None, [])
    whose = line_of(app, channel, urgent=urgent == 1)
    await tx.execute_many(
        _BATCH,
        [
            (notification, instance, msgspec.json.encode(run).decode(), len(run), now, whose)
            for instance, whole in runs.items()
            if instance is not None
            for run in (whole[i : i + BATCH_SIZE] for i in range(0, len(whole), BATCH_SIZE))
        ],
    )
    results = [Result(device, _UNROUTED) for device in unrouted]
    await deliveries.append(tx, notification, results, 0, now)
    counted = (len(audience), len(unrouted))
    last = len(audience) < size
    if last:
        await tx.execute(_END, notification)
        sending = MACHINE.step(State.QUEUED, Event.FANNED_OUT)
        done = MACHINE.step(sending, Event.ALL_FINAL)
        states = (done.value, sending.value, now, notification, State.QUEUED.value)
        await tx.execute(_COUNT_LAST, *counted, *states)
    else:
        await tx.execute(_COUNT, *counted, notification)
        await tx.execute(_ADVANCE, audience[-1][0], notification)
    return Page(notification, len(audience), last)


async def _break_off(tx: Tx, notification: int, position: int, now: float) -> None:
    """Its app was deleted, or itself: nobody else is sent to. What is cut into batches ends as they
    do."""
    await tx.execute(_END, notification)
    if position == 0:
        cancelled = MACHINE.step(State.QUEUED, Event.CANCELLED)
        await tx.execute(_CANCEL, cancelled.value, now, notification)
    else:
        sending = MACHINE.step(State.QUEUED, Event.FANNED_OUT)
        await tx.execute(_STATE, sending.value, notification, State.QUEUED.value)
        await deliveries.finish(tx, notification, now)


async def queue_due(tx: Tx, now: float, limit: int = 500) -> int:
    """The scheduled notifications whose time has come wait for their fan-out; how many."""
    rows = await tx.fetch(_DUE, now, limit)
    await tx.execute_many(_QUEUE, rows)
    queued = MACHINE.step(State.SCHEDULED, Event.DUE).value
    states = [(queued, number, State.SCHEDULED.value) for (number,) in rows]
    await tx.execute_many(_STATE, states)
    return len(rows)


async def first_due(tx: Tx) -> float | None:
    """When (Unix seconds) the next scheduled notification is due."""
    ((due_at,),) = await tx.fetch(_FIRST_DUE)
    return due_at if due_at is None else float(due_at)
