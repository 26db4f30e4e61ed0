"""POST /api/notify and GET /api/notifications/{id}: say something; see what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from quart import Blueprint, Response

from booper.api import gate
from booper.api.render import moment, rendered
from booper.domain import retry
from booper.domain.channel import channel_name
from booper.domain.content import Content
from booper.domain.errors import Invalid, NotFound
from booper.store import channels, notifications
from booper.store.notifications import Accepted
from booper.workers import names

if TYPE_CHECKING:
    from booper.api.house import House
    from booper.domain.notification import Progress
    from booper.ports import Tx


class Taken(msgspec.Struct, frozen=True):
    """It is written down and will not be forgotten; `url` tells how it goes on."""

    id: str
    state: str
    url: str


def routes(house: House) -> Blueprint:
    """The blueprint."""
    blueprint = Blueprint("notifications", __name__)
    ports = house.ports

    @blueprint.post("/api/notify")
    @blueprint.post("/api/notifications")
    async def notify() -> Response:
        name, content = _split(await gate.body(dict))
        own = ports.ids.mint()
        await ports.database.write(_accept, own, name, content)
        house.wake(names.FANOUT)
        url = f"/api/notifications/{own}"
        return rendered(Taken(own, "queued", url), 202, {"Location": url})

    async def _accept(tx: Tx, own: str, name: str, content: Content) -> None:
        channel = await channels.find(tx, name)
        if channel is None:
            raise NotFound("Nobody has subscribed to this channel yet.", code="unknown_channel")
        now = ports.clock.wall()
        text = msgspec.json.encode(content).decode()
        accepted = Accepted(own, channel, text, now, retry.deadline(now, content.ttl))
        await notifications.accept(tx, [accepted])

    @blueprint.get("/api/notifications/<own>")
    async def progress(own: str) -> Response:
        found = await ports.database.read(notifications.progress, gate.identifier(own))
        if found is None:
            raise NotFound("There is no such notification.")
        return rendered(_shown(found))

    return blueprint


def _split(fields: dict[str, Any]) -> tuple[str, Content]:
    """The channel's name and the content; both stand side by side in the body."""
    name = fields.pop("channel", None)
    if not isinstance(name, str):
        raise Invalid("Say which channel.", code="missing_channel", pointer="/channel")
    return channel_name(name), gate.convert(fields, Content).checked()


def _shown(found: Progress) -> dict[str, Any]:
    shown = msgspec.structs.asdict(found)
    shown["created_at"] = moment(found.created_at)
    shown["finished_at"] = moment(found.finished_at)
    return shown
