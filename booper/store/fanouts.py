"""Fan-out: an audience becomes batches, page by page, with a stored position."""

# ruff: noqa: S608 - what is put together is our own words
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.delivery import BATCH_SIZE, Ended
from booper.domain.fairness import line_of
from booper.domain.notification import MACHINE, Event, State
from booper.domain.outcome import Kind
from booper.ports import DONE, Sql
from booper.store import audiences, deliveries, targets
from booper.store.audiences import Whom
from booper.store.express import SMALL, Express, Said, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.routing import Router
    from booper.ports import Tx
    from booper.store.outbox import Claimed
    from booper.store.targets import Near

PAGE = 2_500  # devices a transaction: some milliseconds, so that others get their turn
TURNS = 32  # audiences a transaction: small ones share its price

_COLUMNS = (
    "SELECT f.notification, f.position, f.urgent, c.number, n.tenant, a.number, n.audience,"
    " a.deleted_at IS NOT NULL OR n.number IS NULL,"
    " n.id, n.content, coalesce(n.scheduled_at, n.created_at), n.expires_at"
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
_COUNTED_LAST = (
    "UPDATE notifications SET devices = devices + ?1, not_configured = not_configured + ?2,"
    f" state = CASE WHEN state <> ?7 THEN state WHEN {_SPREAD} THEN ?3 ELSE ?4 END,"
    f" finished_at = CASE WHEN state = ?7 AND {_SPREAD} THEN ?5 ELSE finished_at END"
    " WHERE number = ?6"
)
_ENDED = "DELETE FROM fanouts WHERE notification = {}"
_END = Sql(_ENDED.format("?"))
_END_FIRST = Sql(_END.sqlite, DONE)
_COUNT_LAST = Sql(
    _COUNTED_LAST, f"WITH ended AS ({_ENDED.format('$6')}) {_COUNTED_LAST.replace('?', '$')}"
)
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
_UNROUTED = (Kind.UNROUTED, 0, "no instance sends for this device")


class Page(NamedTuple):
    """What one step did, at last for that notification. `last`: what it began is all cut into
    batches now; so many of those are `waiting` to be claimed; `claimed`: are leased already."""

    notification: int
    devices: int
    last: bool
    waiting: int = 0
    claimed: list[Claimed] = []  # noqa: RUF012 - nobody adds to it


class _Turn(NamedTuple):
    """The audience whose turn it is, as it is stored."""

    notification: int
    position: int
    urgent: int
    channel: int | None
    tenant: str
    app: int | None
    named: str
    orphan: bool
    id: str
    content: str
    created_at: float
    expires_at: float

    @property
    def line(self) -> int:
        return line_of(self.app, self.channel, urgent=self.urgent == 1)


async def advance(
    tx: Tx,
    routes: Router,
    after: int,
    now: float,
    express: Express | None = None,
    turns: int = TURNS,
) -> Page | None:
    """Up to `turns` pages of waiting audiences, until about PAGE devices are cut into batches or
    all had one; what they did in all and where the last stood, or None: nothing waits."""
    done: Page | None = None
    for _ in range(turns):
        again = done is None
        page = await expand(tx, routes, after, now, again=again, express=express)
        if page is None:
            break
        after = page.notification
        if done is not None:
            devices, waiting = done.devices + page.devices, done.waiting + page.waiting
            claimed, last = done.claimed + page.claimed, done.last and page.last
            page = Page(after, devices, last, waiting, claimed)
        done = page
        if done.devices >= PAGE:
            break
    return done


async def expand(
    tx: Tx,
    routes: Router,
    after: int,
    now: float,
    size: int = PAGE,
    *,
    again: bool = True,
    express: Express | None = None,
) -> Page | None:
    """Cut one page of the next waiting audience (the first notification number above `after`,
    with `again` else the lowest; urgent ones before all others) into batches; None: there is
    none. With `express` the batches of a small one are leased, where they may be."""
    rows = await tx.fetch(_NEXT, after, int(again))
    if not rows:
        return None
    turn = _Turn(*rows[0])
    if turn.orphan:
        await _break_off(tx, turn.notification, turn.position, now)
        return Page(turn.notification, 0, last=True)
    whom = Whom(turn.notification, turn.channel, turn.app, turn.named)
    if express is not None and turn.position == 0:
        small = await audiences.small(tx, whom, SMALL)
        if small is not None:
            return await _express(tx, express, routes, turn, small, now)
    audience = await audiences.page(tx, whom, turn.position, size)
    last = len(audience) < size
    runs: dict[str | None, list[int]] = {}
    for (provider, instance), some in (await targets.ways(tx, audience)).items():
        runs.setdefault(routes.resolve(provider, instance, turn.tenant), []).extend(some)
    devices = sum(map(len, runs.values()))
    unrouted = runs.pop(None, [])
    batches = [
        (turn.notification, instance, msgspec.json.encode(run).decode(), len(run), now, turn.line)
        for instance, whole in zip(runs, map(sorted, runs.values()), strict=True)
        if instance is not None
        for run in (whole[i : i + BATCH_SIZE] for i in range(0, len(whole), BATCH_SIZE))
    ]
    await tx.execute_many(_BATCH, batches)
    await _count(tx, turn, devices, unrouted, now, next_one=None if last else audience[-1])
    return Page(turn.notification, len(audience), last, len(batches))


async def _express(
    tx: Tx, express: Express, routes: Router, turn: _Turn, audience: Sequence[Near], now: float
) -> Page:
    runs: dict[str | None, list[Near]] = {}
    for device in audience:
        way = routes.resolve(device.provider, device.instance, turn.tenant)
        runs.setdefault(way, []).append(device)
    unrouted = [device.number for device in runs.pop(None, [])]
    routed = {instance: some for instance, some in runs.items() if instance is not None}
    said = Said(turn.notification, turn.id, turn.content, turn.created_at, turn.expires_at)
    claimed = await cut(tx, express, said, routed, turn.line, now)
    await _count(tx, turn, len(audience), unrouted, now, next_one=None)
    waiting = len(routed) - len(claimed)
    return Page(turn.notification, len(audience), last=True, waiting=waiting, claimed=claimed)


async def _count(
    tx: Tx,
    turn: _Turn,
    devices: int,
    unrouted: Sequence[int],
    now: float,
    *,
    next_one: int | None,
) -> None:
    """So many more devices; where its audience goes on, or None: that was all of it."""
    ended = deliveries.Final(turn.notification, 0, Ended(*_UNROUTED, unrouted))
    await deliveries.append(tx, [ended] if unrouted else [], now)
    counted = (devices, len(unrouted))
    if next_one is None:
        await tx.execute(_END_FIRST, turn.notification)
        sending = MACHINE.step(State.QUEUED, Event.FANNED_OUT)
        done = MACHINE.step(sending, Event.ALL_FINAL)
        states = (done.value, sending.value, now, turn.notification, State.QUEUED.value)
        await tx.execute(_COUNT_LAST, *counted, *states)
    else:
        await tx.execute(_COUNT, *counted, turn.notification)
        await tx.execute(_ADVANCE, next_one, turn.notification)


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
