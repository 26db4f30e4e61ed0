"""The apps of a device: those that let it in; and, when it proves itself, those that merely have it
among their devices or listening to a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from booper.api import changes, rooms
from booper.api.device_tokens import DeviceToken  # noqa: TC001 - msgspec reads it
from booper.api.pages import Page, listed
from booper.domain.caller import Anonymous, DeviceCaller
from booper.domain.errors import NotFound, Refused, Unauthenticated
from booper.store import apps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quart import Response

    from booper.api.house import House
    from booper.api.rooms import Meant
    from booper.domain.caller import Caller
    from booper.ports import Tx
    from booper.store.apps import App


class Wanted(Page, frozen=True, forbid_unknown_fields=True):
    """Of which device; without one, yours."""

    device_token: DeviceToken | None = None
    provider: Annotated[str, Meta(max_length=64)] | None = None

    @property
    def named(self) -> rooms.Named:
        """The device."""
        return rooms.Named(device_token=self.device_token, provider=self.provider)


class Looking(rooms.Named, frozen=True, forbid_unknown_fields=True):
    """Which device looks."""


async def index(
    house: House, caller: Caller, query: Wanted, view: Callable[[App], Any]
) -> Response:
    """The apps of the device that is meant; none, if there is none."""
    check(caller, query.named)
    await changes.count(house, caller)
    meant = await rooms.meant(house, query.named)

    async def fetch(after: str, limit: int) -> Sequence[App]:
        return await house.ports.database.read(_page, caller, meant, after, limit)

    return await listed(house, caller, query, fetch, view)


async def _page(tx: Tx, caller: Caller, meant: Meant, after: str, limit: int) -> list[App]:
    proved = isinstance(caller, DeviceCaller)
    if not proved and not await rooms.addressed(tx, meant):
        return []
    who = await rooms.listener(tx, caller, meant)
    return await apps.of_device(tx, who.number, after, limit, all_of_it=who.proved)


async def one(house: House, caller: Caller, app_id: str, looking: rooms.Named) -> App:
    """The app, if it is one of those; else NotFound."""
    check(caller, looking)
    await changes.count(house, caller)
    meant = await rooms.meant(house, looking)
    return await house.ports.database.read(_one, caller, app_id, meant)


async def _one(tx: Tx, caller: Caller, app_id: str, meant: Meant) -> App:
    if isinstance(caller, DeviceCaller) or await rooms.addressed(tx, meant):
        who = await rooms.listener(tx, caller, meant)
        found = await apps.seen_by(tx, who.number, app_id, all_of_it=who.proved)
        if found is not None:
            return found
    raise NotFound("There is no such thing.")


def check(caller: Caller, named: rooms.Named) -> None:
    """Nothing, if a device calls or is named by anybody; else what the others hear."""
    if isinstance(caller, DeviceCaller) or (
        isinstance(caller, Anonymous) and named.device_token is not None
    ):
        return
    if isinstance(caller, Anonymous):
        raise Unauthenticated("Say who you are: Authorization: Bearer …")
    raise Refused("This is not for this kind of caller.", code="wrong_caller")
