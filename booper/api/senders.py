"""Senders: for whom a caller speaks, an app or the public, and what it may see of what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.domain.caller import AppKey, Operator
from booper.domain.channel import is_id
from booper.domain.errors import NotFound
from booper.store import apps, channels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.api.house import House
    from booper.domain.caller import Caller
    from booper.ports import Tx
    from booper.store.apps import App


class Sender(NamedTuple):
    """An app: its row number, its id, the name of its plan."""

    number: int
    id: str
    plan: str

    @property
    def place(self) -> tuple[int, str]:
        """How its channels are found."""
        return self.number, self.id


async def sender(house: House, caller: Caller, app_id: str | None) -> Sender | None:
    """The app that the caller speaks for; None: to the public. NotFound for an app that is not
    the caller's, as for none."""
    if isinstance(caller, AppKey):
        if app_id is not None and app_id.lower() != caller.app:
            raise NotFound("There is no such thing.")
        return Sender(caller.number, caller.app, caller.plan)
    if app_id is None:
        return None
    found = await house.ports.database.read(_reachable, caller, app_id.lower())
    if found is None:
        raise NotFound("There is no such thing.")
    return Sender(found.number, found.id, found.plan)


async def rooms(house: House, asked: Sequence[Sequence[str]]) -> list[list[str]]:
    """Lists of public channels with each by its name, so that one that is also called by its id
    counts as the one that it is."""
    named = {one for listed in asked for one in listed}
    if not named:
        return [[] for _ in asked]
    ids = {one for one in named if is_id(one)}
    names = await house.ports.database.read(channels.names, ids) if ids else {}
    return [_each_once(listed, names) for listed in asked]


def _each_once(listed: Sequence[str], names: Mapping[str, str]) -> list[str]:
    if len(listed) == 1:
        return [names.get(listed[0], listed[0])]
    return list(dict.fromkeys(names.get(one, one) for one in listed))


async def sees(tx: Tx, caller: Caller, tenant: str) -> bool:
    """Whether what was said for that tenant is the caller's to see; the public's is anybody's."""
    return not tenant or await _reachable(tx, caller, tenant) is not None


async def _reachable(tx: Tx, caller: Caller, app_id: str) -> App | None:
    if isinstance(caller, Operator):
        return await apps.find(tx, app_id)
    return await apps.reachable(tx, caller, app_id)
