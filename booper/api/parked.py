"""/api/admin/batches/parked: what an instance or a process died of again and again, for operators
to release or to fail. What nobody decides about ends with its notification's time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from booper.api.operation import Operations
from booper.api.pages import Listed, Page, listed
from booper.api.render import Moment, moment
from booper.domain.caller import Caller, Who
from booper.domain.errors import Invalid
from booper.store import poison
from booper.workers import names

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from quart import Response

    from booper.api.house import House
    from booper.ports import Tx
    from booper.store.poison import Parked

operations = Operations("parked batches")

STEP = 20  # batches decided in one transaction: 10,000 devices

Number = Annotated[int, Meta(ge=1, le=2**62)]


class ParkedView(msgspec.Struct, frozen=True):
    """A batch that nobody tries any more. `batch`: its number in this list; `devices`: how many
    wait in it; `death`: what its holder died of the last time; `expires_at`: when it ends as
    expired, unless somebody decides before."""

    batch: int
    notification_id: str
    app_id: str | None
    instance: str
    devices: int
    attempt: int
    deaths: int
    death: str
    parked_at: Moment
    expires_at: Moment


class Filter(Page, frozen=True, forbid_unknown_fields=True):
    """Of which notification."""

    notification_id: UUID | None = None


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which: these batches, or all of a notification. Exactly one of the two."""

    batches: Annotated[list[Number], Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    notification_id: UUID | UnsetType = UNSET


class Decided(msgspec.Struct, frozen=True):
    """How many batches were still parked, and are not any more."""

    batches: int


@operations.get(
    "/api/admin/batches/parked",
    query=Filter,
    answers={200: Listed[ParkedView]},
    callers=Who.OPERATOR,
)
async def index(house: House, caller: Caller, query: Filter) -> Response:
    """The parked batches, the longest parked first."""
    own = None if query.notification_id is None else str(query.notification_id)

    async def fetch(after: str, limit: int) -> Sequence[Parked]:
        return await house.ports.database.read(poison.page, own, int(after or 0), limit)

    return await listed(house, caller, query, fetch, _view)


@operations.post(
    "/api/admin/batches/parked/release",
    body=Chosen,
    answers={200: Decided},
    callers=Who.OPERATOR,
)
async def release(house: House, body: Chosen) -> Decided:
    """Try them again: what they died of has been mended."""
    decided = await _decide(house, body, poison.release)
    house.wake(names.DISPATCHER)
    return decided


@operations.post(
    "/api/admin/batches/parked/fail",
    body=Chosen,
    answers={200: Decided},
    callers=Who.OPERATOR,
)
async def fail(house: House, body: Chosen) -> Decided:
    """Give them up: every device in them ends as failed."""
    return await _decide(house, body, poison.fail)


async def _decide(
    house: House, body: Chosen, verb: Callable[[Tx, Sequence[int], float], Awaitable[int]]
) -> Decided:
    """Step by step, so that others may write in between; cut short, it can be asked for again."""
    database, now = house.ports.database, house.ports.clock.wall()
    if (body.batches is UNSET) is (body.notification_id is UNSET):
        raise Invalid("Name batches, or a notification_id.", code="invalid", pointer="/batches")
    if body.batches is not UNSET:
        numbers = body.batches
        steps = [numbers[i : i + STEP] for i in range(0, len(numbers), STEP)]
        return Decided(sum([await database.write(verb, step, now) for step in steps]))
    own, total = str(body.notification_id), 0

    async def work(tx: Tx) -> int:
        found = await poison.page(tx, own, 0, STEP)
        return await verb(tx, [one.number for one in found], now)

    while done := await database.write(work):
        total += done
    return Decided(total)


def _view(one: Parked) -> ParkedView:
    return ParkedView(
        one.number,
        one.notification,
        one.tenant or None,
        one.instance,
        one.size,
        one.attempt,
        one.deaths,
        one.death,
        moment(one.parked_at),
        moment(one.expires_at),
    )
