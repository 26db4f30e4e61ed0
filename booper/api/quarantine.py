"""Quarantine: the deaths that were not believed, for whoever runs the instance to decide.

The handlers for one instance stand under its path (`instance_routes.py`), the overview here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from booper.api.instance_views import Limit
from booper.api.operation import Operations
from booper.api.render import Moment, moment
from booper.domain.caller import Who
from booper.domain.wanted import key_of
from booper.store import instances, quarantine
from booper.workers import names

if TYPE_CHECKING:
    from booper.api.house import House
    from booper.domain.wanted import Editor
    from booper.ports import Tx
    from booper.store.quarantine import Brake, Kept

operations = Operations("quarantine")


class BrakeView(msgspec.Struct, frozen=True):
    """A brake that is on. `paused`: nothing is sent either, because the addresses do not fit."""

    since: Moment
    paused: bool
    dead: int
    judged: int


class Overview(msgspec.Struct, frozen=True):
    """An instance with something to decide."""

    brake: BrakeView | None
    devices: int


class Overviews(msgspec.Struct, frozen=True):
    """Every instance with something to decide; a tenant's as `tenant/name`."""

    instances: dict[str, Overview]


class Quarantined(msgspec.Struct, frozen=True):
    """A device, the notification at which it was called dead, the provider's word for it."""

    device_id: str
    notification_id: str
    reason: str
    at: Moment


class Ward(msgspec.Struct, frozen=True):
    """A page of an instance's quarantine; `next` is there if there are more."""

    brake: BrakeView | None
    devices: list[Quarantined]
    next: int | UnsetType = UNSET


class WardPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`after`: the `next` of the page before."""

    after: Annotated[int, Meta(ge=0, le=2**62)] = 0
    limit: Limit = 100


class Decided(msgspec.Struct, frozen=True):
    """For how many devices it was decided."""

    devices: int


@operations.get("/api/admin/quarantine", answers={200: Overviews}, callers=Who.OPERATOR)
async def overview(house: House) -> Overviews:
    """Which instances, of whomever, have devices in quarantine or their brake on."""

    async def look(tx: Tx) -> tuple[list[Brake], dict[str, int]]:
        return await quarantine.brakes(tx), await quarantine.counts(tx)

    brakes, counts = await house.ports.database.read(look)
    on = {brake.instance: brake for brake in brakes}
    found = sorted(on.keys() | counts.keys())
    return Overviews({key: Overview(_shown(on.get(key)), counts.get(key, 0)) for key in found})


async def show(house: House, editor: Editor, name: str, query: WardPage) -> Ward:
    """The quarantined devices. Nothing is sent to them until somebody has decided."""
    key = key_of(editor.tenant, name)

    async def look(tx: Tx) -> tuple[Brake | None, list[Kept]]:
        brake = await quarantine.brake(tx, key)
        page = await quarantine.page(tx, key, query.after, query.limit)
        if brake is None and not page:
            await instances.known(tx, key)
        return brake, page

    brake, page = await house.ports.database.read(look)
    devices = [
        Quarantined(one.device, one.notification, one.reason, moment(one.at)) for one in page
    ]
    following = page[-1].number if len(page) == query.limit else UNSET
    return Ward(_shown(brake), devices, following)


async def confirm(house: House, editor: Editor, name: str) -> Decided:
    """Believe the deaths: the devices stay gone until they register again; the brake goes off."""
    return await _decide(house, editor, name, undo=False)


async def undo(house: House, editor: Editor, name: str) -> Decided:
    """Take the deaths back: the devices get what is sent from now on; the brake goes off.

    Put the cause right first (the instance's environment, key or app), or it comes on again.
    """
    return await _decide(house, editor, name, undo=True)


async def _decide(house: House, editor: Editor, name: str, *, undo: bool) -> Decided:
    """Page by page, so that others may write in between; cut short, it can be asked for again."""
    key, now = key_of(editor.tenant, name), house.ports.clock.wall()
    total, left = 0, True

    async def work(tx: Tx) -> tuple[int, bool]:
        count, left = await quarantine.decide(tx, key, undo=undo)
        wanted = await instances.known(tx, key) if not count else await instances.find(tx, key)
        if count and wanted is not None:
            wanted = msgspec.structs.replace(wanted, changed_by=editor.name, changed_at=now)
            verb = "quarantine_undone" if undo else "quarantine_confirmed"
            await instances.note(tx, wanted, verb, "", f"{count} devices")
        return count, left

    while left:
        count, left = await house.ports.database.write(work)
        total += count
    house.wake(names.DISPATCHER)
    return Decided(total)


def _shown(brake: Brake | None) -> BrakeView | None:
    if brake is None:
        return None
    return BrakeView(moment(brake.since), brake.paused, brake.dead, brake.judged)
