"""Acceptance: what was said becomes rows, in one transaction, each with its key and its place in
the day's quota. One that cannot be accepted leaves nothing behind, and the others alone.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from quart import request

from booper.api import limits, publishing
from booper.domain import retry
from booper.domain.caller import Anonymous, identity
from booper.domain.errors import BooperError, Invalid
from booper.domain.notification import State
from booper.store import audiences, idempotency, notifications, quotas
from booper.store.idempotency import Use
from booper.store.notifications import Accepted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.api.house import House
    from booper.api.said import Notify, Said
    from booper.api.senders import Sender
    from booper.domain.caller import Caller
    from booper.ports import Tx
    from booper.store.audiences import Resolved

_QUEUED, _SCHEDULED = str(State.QUEUED.value), str(State.SCHEDULED.value)
_KEY = re.compile(r"[!-~]{1,255}")


class Taken(msgspec.Struct, frozen=True):
    """It is written down and will not be forgotten; `url` tells how it goes on. `state`: "queued"
    or "scheduled"."""

    id: str
    state: str
    url: str


class Item(NamedTuple):
    """One thing that was said, for whom, the id it gets if it is accepted, and who says it."""

    own: str
    said: Said
    app: Sender | None
    use: Use | None
    caller: Caller = Anonymous()

    @property
    def state(self) -> str:
        """The state it begins in."""
        return _QUEUED if self.said.scheduled_at is None else _SCHEDULED


class Accept(NamedTuple):
    """What became of one: `left`: how many more its app may send today, where that ends."""

    taken: Taken
    replayed: bool = False
    left: int | None = None


def key_of_request() -> str | None:
    """The Idempotency-Key, if the request has one; Invalid if it is none."""
    return check_key(request.headers.get("Idempotency-Key"))


def check_key(given: str | None) -> str | None:
    """The same, if it is a key; else Invalid."""
    if given is not None and not _KEY.fullmatch(given):
        raise Invalid(
            "An Idempotency-Key has 1 to 255 printable ASCII characters.",
            code="invalid_idempotency_key",
        )
    return given


def use(house: House, caller: Caller, key: str | None, asked: Notify) -> Use | None:
    """The key in this caller's hand; strangers are told apart by their addresses."""
    if key is None:
        return None
    who = identity(caller)
    if isinstance(caller, Anonymous):
        who = f"address {limits.client(house)}"
    return Use(who, key, hashlib.sha256(msgspec.json.encode(asked)).hexdigest())


async def accept(tx: Tx, house: House, items: Sequence[Item]) -> list[Accept | BooperError]:
    """What became of each, in order."""
    now = house.ports.clock.wall()
    results: dict[int, Accept | BooperError] = {}
    rows: dict[int, Accepted] = {}
    rooms: dict[str, tuple[int, ...]] = {}
    known: dict[tuple[str, int | None], Resolved | BooperError] = {}
    for place, item in enumerate(items):
        try:
            found = await _prepare(tx, house, item, now, rooms, known)
        except BooperError as error:
            results[place] = error
            continue
        if isinstance(found, Accepted):
            rows[place] = found
        else:
            results[place] = found
    left = await _count(tx, house, items, rows, results, now)
    if rows:
        said = list(rows.values())
        several = [(room, one.id) for one in said for room in rooms.get(one.id, ())]
        await notifications.accept(tx, said, several)
    for place in rows:
        item = items[place]
        of_day = left.get(item.app) if left else None
        results[place] = Accept(_taken(item.own, item.state), left=of_day)
    return [results[place] for place in range(len(items))]


async def _prepare(
    tx: Tx,
    house: House,
    item: Item,
    now: float,
    rooms: dict[str, tuple[int, ...]],
    known: dict[tuple[str, int | None], Resolved | BooperError],
) -> Accepted | Accept:
    """The row of one, with its channels in `rooms` if they are several; or what its key stands
    for."""
    said, app, use = item.said, item.app, item.use
    if use is not None:
        replay = await idempotency.claim(tx, use, item.own, item.state, now)
        if replay is not None:
            return Accept(_taken(*replay), replayed=True)
    try:
        to = await _resolve(tx, item, known)
        publishing.check(item.caller, to)
    except BooperError:
        if use is not None:
            await idempotency.drop(tx, use)
        raise
    if to.channels:
        rooms[item.own] = to.channels
    return Accepted(
        item.own,
        to.channel,
        said.content,
        now,
        retry.deadline(said.scheduled_at or now, said.ttl),
        "" if app is None else app.id,
        said.named,
        int(app is not None and limits.plan_of(house, app).priority),
        said.scheduled_at,
    )


async def _resolve(
    tx: Tx, item: Item, known: dict[tuple[str, int | None], Resolved | BooperError]
) -> Resolved:
    """Whom it is for; NotFound if there is nobody of that name. Looked up once in all of a list,
    whose items are of many callers: whether this one may say it is not the matter here."""
    asked = (item.said.named, None if item.app is None else item.app.number)
    found = known.get(asked)
    if found is None:
        place = None if item.app is None else item.app.place
        try:
            found = await audiences.resolve(tx, item.said.audience, place)
        except BooperError as error:
            found = error
        known[asked] = found
    if isinstance(found, BooperError):
        raise found.with_traceback(None)
    return found


async def _count(
    tx: Tx,
    house: House,
    items: Sequence[Item],
    rows: dict[int, Accepted],
    results: dict[int, Accept | BooperError],
    now: float,
) -> dict[Sender | None, int]:
    """Take each app's part out of its day; the first come are served. How much each has left."""
    left: dict[Sender | None, int] = {}
    apps = {items[place].app for place in rows}
    for app in sorted(apps, key=lambda app: app.id if app else ""):  # locks in one order
        if app is None or not (plan := limits.plan_of(house, app)).per_day:
            continue
        places = [place for place in rows if items[place].app == app]
        day = int(now // limits.DAY)
        granted, left[app] = await quotas.take(tx, app.id, day, len(places), plan.per_day)
        for place in places[granted:]:
            del rows[place]
            await _give_back(tx, items, place, results, limits.exceeded(plan, now))
    return left


async def _give_back(
    tx: Tx,
    items: Sequence[Item],
    place: int,
    results: dict[int, Accept | BooperError],
    error: BooperError,
) -> None:
    """One is not accepted after all; nor are those that repeat it, by the key it has no more."""
    results[place] = error
    if (use := items[place].use) is None:
        return
    await idempotency.drop(tx, use)
    for later, found in list(results.items()):
        if isinstance(found, Accept) and found.replayed and found.taken.id == items[place].own:
            results[later] = error


def _taken(own: str, state: str) -> Taken:
    return Taken(own, state, f"/api/notifications/{own}")
