"""POST /api/notifications/batch: say many things in one request, each accepted or refused alone."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
import trio
from msgspec import Meta
from quart import Response, request

from booper.api import acceptance, gate, limits, pieces, problems, said, senders
from booper.api.acceptance import Accept, Item
from booper.api.notify import addressed
from booper.api.operation import Operations
from booper.api.pieces import NDJSON
from booper.api.problems import Problem
from booper.api.said import Notify
from booper.domain.caller import Caller, Scope, Who
from booper.domain.errors import BooperError, Unavailable
from booper.workers import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from booper.api.house import House
    from booper.api.said import Said
    from booper.api.senders import Sender

operations = Operations("batch")

PATH = "/api/notifications/batch"
GROUP = 500  # notifications in one transaction
STEP = 100  # notifications that are read before others get their turn
_encoder = msgspec.json.Encoder()


class BatchItem(Notify, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One notification. `idempotency_key`: yours for it, as the header is for a single one."""

    idempotency_key: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one: `status` 202 with its id, state and url; else the status and the problem
    that it would have got alone, and the seconds to wait where waiting helps."""

    status: int
    id: str | None = None
    state: str | None = None
    url: str | None = None
    replayed: bool = False
    problem: Problem | None = None
    retry_after: int | None = None


class Draft(NamedTuple):
    """One that can be read and is for somebody who may be spoken to."""

    asked: BatchItem
    said: Said
    app: Sender | None


@operations.post(
    PATH,
    body=list[BatchItem],
    answers={200: list[Result]},
    callers=Who.ANYONE,
    scope=Scope.NOTIFY,
    headers=("Idempotency-Key",),
    media=(NDJSON,),
    errors={422: ("invalid", "too_many_notifications", "invalid_idempotency_key")},
)
async def batch(house: House, caller: Caller) -> Response:
    """Say many things: one result for each, in their order; one that is no good harms no other.

    Each item is a body of POST /api/notify, perhaps with an idempotency_key. As a JSON array, or as
    one JSON object a line (application/x-ndjson), which is answered by one result a line. Up to 500
    are written in one transaction. To the public each counts for the limits; for an app the request
    counts as one, and each notification for its day. An Idempotency-Key stands for every item that
    has none of its own, by its place.
    """
    whole_key = acceptance.key_of_request()
    found = await pieces.read(house)
    results: dict[int, BooperError | Accept] = {}
    drafts: dict[int, Draft] = {}
    await _draft(house, caller, found, drafts, results)
    whose = [one.app for one in drafts.values()]
    public = [one.said.audience.rooms if one.app is None else () for one in drafts.values()]
    rooms = await senders.rooms(house, public)
    refused = await limits.take_each(house, caller, list(zip(whose, rooms, strict=True)))
    items: dict[int, Item] = {}
    for (place, draft), error in zip(drafts.items(), refused, strict=True):
        if error is not None:
            results[place] = error
            continue
        key = draft.asked.idempotency_key or (whole_key and f"{whole_key} {place}")
        asked = msgspec.structs.replace(draft.asked, idempotency_key=None) if key else draft.asked
        use = acceptance.use(house, caller, key, asked)
        items[place] = Item(house.ports.ids.mint(), draft.said, draft.app, use, caller)
    await _accept(house, items, results)
    return _answer([_shown(results[place]) for place in range(len(found))])


async def _draft(
    house: House,
    caller: Caller,
    found: Sequence[bytes],
    drafts: dict[int, Draft],
    results: dict[int, BooperError | Accept],
) -> None:
    """Read each, and find the app that says it."""
    now = house.ports.clock.wall()
    apps: dict[str | None, Sender | BooperError | None] = {}
    for place, piece in enumerate(found):
        if place % STEP == STEP - 1:
            await trio.lowlevel.checkpoint()
        try:
            asked = gate.decode(piece, BatchItem)
            acceptance.check_key(asked.idempotency_key)
            wanted = said.checked(asked, now)
            if wanted.app_id not in apps:
                apps[wanted.app_id] = await _sender(house, caller, wanted.app_id)
            app = apps[wanted.app_id]
            if isinstance(app, BooperError):
                raise app
            addressed(wanted, app)
        except BooperError as error:
            results[place] = error.with_traceback(None)
        else:
            drafts[place] = Draft(asked, wanted, app)


async def _sender(house: House, caller: Caller, app_id: str | None) -> Sender | BooperError | None:
    try:
        return await senders.sender(house, caller, app_id)
    except Unavailable:
        raise
    except BooperError as error:
        return error


async def _accept(
    house: House, items: dict[int, Item], results: dict[int, BooperError | Accept]
) -> None:
    """Write them, group by group. A store that is away before anything was written ends it all."""
    database = house.ports.database
    for number, group in enumerate(_groups(items)):
        try:
            found = await database.write(acceptance.accept, house, [items[one] for one in group])
        except Unavailable as error:
            if not number:
                raise
            found = [error] * len(group)
        results.update(zip(group, found, strict=True))
        house.wake(names.FANOUT)
    left = {
        item.app: result.left
        for item, result in ((items[place], results[place]) for place in items)
        if isinstance(result, Accept) and result.left is not None
    }
    if len(left) == 1:
        ((app, still),) = left.items()
        if app is not None and still is not None:
            limits.tell_day(house, app, still)


def _groups(places: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(places)
    while group := list(islice(rest, GROUP)):
        yield group


def _shown(found: BooperError | Accept) -> Result:
    if isinstance(found, Accept):
        taken = found.taken
        return Result(202, taken.id, taken.state, taken.url, found.replayed)
    problem = problems.told(found)
    return Result(problem.status, problem=problem, retry_after=problems.patience(found))


def _answer(results: list[Result]) -> Response:
    """As it was asked: lines for lines."""
    if request.mimetype == NDJSON:
        return Response(_encoder.encode_lines(results), content_type=NDJSON)
    return Response(_encoder.encode(results), content_type="application/json")
