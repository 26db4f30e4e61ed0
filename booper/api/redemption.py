"""POST /api/access_codes/{code}: a device submits a code and is let into what that opens.

A wrong code, one that is over, used or revoked, and one of another app are one and the same answer,
after the same work; each counts as a guess (see domain/access_code.py). A code that is right counts
as none and gives nobody back what was guessed before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from booper.api import gate, limits, rooms
from booper.api.access_codes import Id, operations
from booper.api.device_tokens import DeviceToken
from booper.domain import access_code
from booper.domain.caller import Caller, Who
from booper.domain.errors import NotFound, TooOften
from booper.store import access_codes, devices, grants, guesses, members
from booper.store.server_keys import ACCESS_CODE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.api.house import House
    from booper.domain.limit import Limit
    from booper.ports import Tx

Code = Annotated[str, Meta(min_length=1, max_length=64)]
Provider = Annotated[str, Meta(max_length=64)]


class Redemption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which device submits the code: by its own secret, with nothing here, or by `device_token`
    (and `provider`, where several devices have it). `app_id`: only if the code is that app's.
    """

    device_token: DeviceToken | None = None
    provider: Provider | None = None
    app_id: Id | None = None


class Room(msgspec.Struct, frozen=True):
    """A channel that the device may listen to."""

    id: str
    name: str
    title: str


class Admitted(msgspec.Struct, frozen=True):
    """All channels of the app that the device may listen to now."""

    app_id: str
    device_id: str
    channels: list[Room]


class _Guess(msgspec.Struct, frozen=True):
    """A code in somebody's hand."""

    caller: Caller
    meant: rooms.Meant
    digests: list[str]
    app_id: str | None
    code: str
    address: str
    now: float


@operations.post(
    "/api/access_codes/{code}",
    body=Redemption,
    answers={200: Admitted},
    callers=Who.ANYONE,
    parts={"code": Code},
    errors={
        404: ("unknown_code", "not_found", "unknown_device"),
        422: rooms.DEVICE_ERRORS[422],
        429: ("too_many_guesses",),
    },
)
async def redeem(house: House, caller: Caller, code: str, body: Redemption) -> Admitted:
    """Submit a code: the device is in the app, and may listen to these channels.

    Wrong ones are counted for the device, its address, and the app.
    """
    ports = house.ports
    spelled = access_code.spelled(code)
    await house.keys.newest(ACCESS_CODE)
    keys = await house.keys.all(ACCESS_CODE)
    named = rooms.Named(device_token=body.device_token, provider=body.provider)
    guess = _Guess(
        caller,
        await rooms.meant(house, named),
        [access_code.digest(key.raw, spelled) for key in keys],
        None if body.app_id is None else gate.identifier(body.app_id),
        spelled,
        limits.client(house),
        ports.clock.wall(),
    )
    device, budgets = await ports.database.read(_look, guess)
    admitted = await ports.database.write(_redeem, guess, device, budgets)
    if admitted is None:
        raise NotFound("This code is not good.", code="unknown_code")
    return admitted


async def _look(tx: Tx, guess: _Guess) -> tuple[int, list[Limit]]:
    """The device that guesses, and what that counts against; TooOften without any write."""
    device = (await rooms.listener(tx, guess.caller, guess.meant)).number
    budgets = access_code.budgets(guess.code, str(device), guess.address, guess.app_id)
    await _allowed(tx, budgets, guess.now)
    return device, budgets


async def _redeem(tx: Tx, guess: _Guess, number: int, budgets: Sequence[Limit]) -> Admitted | None:
    """None for a wrong guess, which is counted."""
    await access_codes.alone(tx)
    after = await _allowed(tx, budgets, guess.now)
    device = await devices.numbered(tx, number)
    if device is None:
        raise rooms.no_device()
    opened = await access_codes.use(tx, guess.digests, number, guess.app_id, guess.now)
    if opened is None:
        await guesses.pay(tx, after)
        return None
    await members.join(tx, opened.app, number, "", opened.identifier, guess.now)
    await grants.give(tx, number, opened.channels, guess.now)
    inside = await grants.of_device(tx, number, opened.app)
    shown = [Room(room.id, room.name, room.title) for room in inside]
    return Admitted(opened.app_id, device.id, shown)


async def _allowed(tx: Tx, budgets: Sequence[Limit], now: float) -> dict[str, float]:
    """What is paid for if this guess is wrong; TooOften if it may not even be made."""
    paid = await guesses.paid(tx, [one.key for one in budgets])
    after, verdict = access_code.judge(budgets, paid, now)
    if not verdict.allowed:
        raise TooOften(
            "Too many wrong codes: wait a little.",
            code="too_many_guesses",
            retry_after=verdict.retry_after,
        )
    return after
