"""How a notification is shown: with its account, or to a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from booper.api.render import Moment, moment
from booper.domain.notification import summary

if TYPE_CHECKING:
    from booper.domain.notification import Progress


class ProgressView(msgspec.Struct, frozen=True):
    """A notification and its account: `devices` = `pending` + the sum of `counts`, always. A device
    is told what was said and not to whom else: for it the account and the audience are null.

    `opened`: on how many devices somebody opened it, as they say themselves.
    `state`: "scheduled", "queued", "sending", and then "done" (all were reached), "partial",
    "failed" (none was), "expired" (none in time) or "cancelled"; and "sending" once
    more where a receipt asks for another try. `audience`: as it was named.
    """

    id: str
    app_id: str | None
    channel: str | None
    audience: dict[str, Any] | None
    state: str
    devices: int | None
    pending: int | None
    counts: dict[str, int] | None
    retried: int | None
    maybe_doubled: int | None
    opened: int | None
    content: dict[str, Any]
    created_at: Moment
    scheduled_at: Moment | None
    expires_at: Moment
    finished_at: Moment | None
    archived_at: Moment | None


def shown(found: Progress) -> ProgressView:
    """A notification as its sender sees it."""
    named = msgspec.json.decode(found.audience) if found.audience else {"channel": found.channel}
    return ProgressView(
        found.id,
        found.tenant or None,
        found.channel,
        named,
        summary(found.state, found.devices, found.counts),
        found.devices,
        found.pending,
        found.counts,
        found.retried,
        found.maybe_doubled,
        found.opened,
        msgspec.json.decode(found.content),
        moment(found.created_at),
        moment(found.scheduled_at),
        moment(found.expires_at),
        moment(found.finished_at),
        moment(found.archived_at),
    )


def told(found: Progress) -> ProgressView:
    """A notification as a device sees it."""
    return msgspec.structs.replace(
        shown(found),
        audience=None,
        devices=None,
        pending=None,
        counts=None,
        retried=None,
        maybe_doubled=None,
        opened=None,
    )
