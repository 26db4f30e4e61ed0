"""/api/access_codes: what an app's server hands to people, so that their devices may come in."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from booper.api import changes, gate, senders
from booper.api.apps import own as own_app
from booper.api.operation import Operations
from booper.api.pages import Listed, Page, listed
from booper.api.render import Moment, moment, nothing
from booper.domain import access_code
from booper.domain.access_code import Form, State
from booper.domain.audience import Channels, Named
from booper.domain.caller import AppKey, Caller, Scope, SessionCaller, Who
from booper.domain.errors import Conflict, Invalid, NotFound
from booper.store import access_codes, channels, guesses
from booper.store.access_codes import AccessCode, NewCode
from booper.store.server_keys import ACCESS_CODE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quart import Response

    from booper.api.house import House
    from booper.api.senders import Sender
    from booper.ports import Tx

operations = Operations("access_codes")

TRIES = 8  # at a six-digit code that nobody has now

Id = Annotated[str, Meta(max_length=64)]


class NewAccessCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which channels of the app it opens, by name or id. `identifier`: what the app calls whoever
    comes in. It ends at `expires_at` or after `expires_in` seconds, else after five minutes.

    `within_app`: whoever submits it names the app, as an app of your own can.
    """

    channels: Channels
    identifier: Named | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    expires_in: float | None = None
    within_app: bool = False
    app_id: Id | None = None


class AccessCodeMade(msgspec.Struct, frozen=True):
    """The code stands here and never again."""

    id: str
    access_code: str
    expires_at: Moment

    def __repr__(self) -> str:
        return f"AccessCodeMade({self.id})"


class AccessCodeView(msgspec.Struct, frozen=True):
    """A code as it is listed, a day beyond its end. `device_id`: which device used it."""

    id: str
    state: State
    identifier: str | None
    created_at: Moment
    expires_at: Moment
    ended_at: Moment | None
    device_id: str | None


class OfApp(Page, frozen=True, forbid_unknown_fields=True):
    """`app_id`: which app's, for a person."""

    app_id: Id | None = None


class _Candidate(msgspec.Struct, frozen=True):
    """A code that may become one."""

    code: str
    digest: str


@operations.post(
    "/api/access_codes",
    body=NewAccessCode,
    answers={201: AccessCodeMade},
    callers=Who.APP | Who.ACCOUNT,
    scope=Scope.ACCESS_CODES,
    errors={
        404: ("not_found", "unknown_channel"),
        409: ("too_many_codes",),
        422: ("missing_app_id", "invalid_expiry"),
        429: changes.LIMITED,
    },
)
async def create(house: House, caller: Caller, body: NewAccessCode) -> AccessCodeMade:
    """A new code, good once: six digits, or eight letters where these would be guessed too easily.

    That is so for one that lives longer than five minutes, beside twenty others, or while somebody
    is guessing.
    """
    ports = house.ports
    now, longest = ports.clock.wall(), house.settings.access_codes.longest
    at = None if body.expires_at is None else body.expires_at.timestamp()
    until = access_code.end(now, at, body.expires_in, longest)
    app = await senders.sender(house, caller, body.app_id)
    if app is None:
        raise Invalid("Say which app: app_id.", code="missing_app_id", pointer="/app_id")
    await changes.count(house, caller)
    key = (await house.keys.newest(ACCESS_CODE)).raw
    wanted = Form.SHORT_IN_APP if body.within_app else Form.SHORT
    candidates = {
        form: [_candidate(form, key, ports.ids.secret(access_code.ENTROPY)) for _ in range(TRIES)]
        for form in (wanted, Form.LONG)
    }
    new = NewCode(ports.ids.mint(), app.number, (), body.identifier or "", now, until)
    made = await ports.database.write(_create, app, new, body.channels, wanted, candidates)
    return AccessCodeMade(new.id, made, moment(until))


def _candidate(form: Form, key: bytes, entropy: bytes) -> _Candidate:
    code = access_code.minted(form, entropy)
    return _Candidate(code, access_code.digest(key, code))


async def _create(
    tx: Tx,
    app: Sender,
    new: NewCode,
    names: Sequence[str],
    wanted: Form,
    candidates: Mapping[Form, Sequence[_Candidate]],
) -> str:
    new = new._replace(channels=await _rooms(tx, app, names))
    await access_codes.alone(tx)
    live = await access_codes.live(tx, app.number, new.created_at)
    if live.app >= access_code.MOST_LIVE:
        raise Conflict(
            f"An app has at most {access_code.MOST_LIVE} codes at once.", code="too_many_codes"
        )
    budgets = [access_code.IN_HOUSE, access_code.in_app(app.id)]
    paid = await guesses.paid(tx, [one.key for one in budgets])
    pressed = access_code.pressed(budgets, paid, new.created_at)
    life = new.expires_at - new.created_at
    form = access_code.form(wanted, life, live.short, live.house, pressed)
    for kind in dict.fromkeys((form, Form.LONG)):
        digests = [one.digest for one in candidates[kind]]
        place = await access_codes.create(tx, new, kind, digests)
        if place is not None:
            return candidates[kind][place].code
    raise Conflict("There are too many codes just now.", code="too_many_codes")


async def _rooms(tx: Tx, app: Sender, names: Sequence[str]) -> list[int]:
    rooms = []
    for place, name in enumerate(names):
        room = await channels.find(tx, name.lower(), app.place)
        if room is None:
            raise NotFound(
                "There is no such channel. The app has none.",
                code="unknown_channel",
                pointer=f"/channels/{place}",
            )
        rooms.append(room)
    return list(dict.fromkeys(rooms))


def _view(code: AccessCode, now: float) -> AccessCodeView:
    state = access_code.state(code.ended_why, code.expires_at, now)
    return AccessCodeView(
        code.id,
        state,
        code.identifier or None,
        moment(code.created_at),
        moment(code.expires_at),
        moment(code.expires_at if state is State.EXPIRED else code.ended_at),
        code.device,
    )


@operations.get(
    "/api/access_codes",
    query=OfApp,
    answers={200: Listed[AccessCodeView]},
    callers=Who.APP | Who.ACCOUNT,
    scope=Scope.READ,
    errors={404: ("not_found",), 422: ("missing_app_id",)},
)
async def index(house: House, caller: AppKey | SessionCaller, query: OfApp) -> Response:
    """The codes of your app, the oldest first; what each of them is, nobody is told again."""
    database, now = house.ports.database, house.ports.clock.wall()
    app_id = query.app_id.lower() if query.app_id is not None else getattr(caller, "app", None)
    if app_id is None:
        raise Invalid("Say which app: app_id.", code="missing_app_id", pointer="/app_id")
    app = await database.read(own_app, caller, app_id)

    async def fetch(after: str, limit: int) -> Sequence[AccessCode]:
        return await database.read(access_codes.page, app.number, after, limit)

    return await listed(house, caller, query, fetch, lambda code: _view(code, now))


@operations.delete(
    "/api/access_codes/{code}",
    answers={204: None},
    callers=Who.APP | Who.ACCOUNT,
    scope=Scope.ACCESS_CODES,
    parts={"code": Id},
)
async def revoke(house: House, caller: AppKey | SessionCaller, code: str) -> Response:
    """Revoke a code that is still good, by its id; whom it let in already stays in."""
    own = gate.identifier(code)
    owner = {"app" if isinstance(caller, AppKey) else "account": caller.number}

    async def work(tx: Tx) -> bool:
        return await access_codes.revoke(tx, own, house.ports.clock.wall(), **owner)

    if not await house.ports.database.write(work):
        raise NotFound("There is no such thing.")
    return nothing()
