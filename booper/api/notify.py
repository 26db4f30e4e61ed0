"""POST /api/notify: say something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.api import acceptance, limits, publishing, said, senders
from booper.api.acceptance import Item, Taken
from booper.api.operation import Operations
from booper.api.render import rendered
from booper.api.said import Asked, Notify
from booper.domain.caller import Caller, Scope, Who
from booper.domain.errors import BooperError, Invalid
from booper.workers import names

if TYPE_CHECKING:
    from quart import Response

    from booper.api.house import House
    from booper.api.said import Said
    from booper.api.senders import Sender

operations = Operations("notify")

CONTENT_ERRORS = (
    "empty_notification",
    "invalid_collapse_key",
    "loc_args_without_key",
    "background_shows_nothing",
    "live_activity_and_form",
    "live_activity_incomplete",
    "live_activity_not_starting",
    "live_activity_not_ending",
    "raw_too_deep",
    "raw_too_large",
    "unknown_provider",
)
_NOTIFY_ERRORS = {
    **publishing.ERRORS,
    404: ("not_found", "unknown_channel", "unknown_device"),
    422: (
        "invalid_channel_name",
        "which_audience",
        "audience_needs_app",
        "scheduled_too_far",
        "invalid_idempotency_key",
        "idempotency_key_reused",
        *CONTENT_ERRORS,
    ),
    429: limits.LIMITED,
}


@operations.post(
    "/api/notify",
    body=Notify,
    query=Asked,
    answers={202: Taken},
    callers=Who.ANYONE,
    scope=Scope.NOTIFY,
    errors=_NOTIFY_ERRORS,
    headers=("Idempotency-Key", *said.HEADERS),
    media=(said.TEXT,),
)
@operations.post(
    "/api/notifications",
    body=Notify,
    query=Asked,
    answers={202: Taken},
    callers=Who.ANYONE,
    scope=Scope.NOTIFY,
    errors=_NOTIFY_ERRORS,
    headers=("Idempotency-Key", *said.HEADERS),
    media=(said.TEXT,),
)
async def notify(house: House, caller: Caller, query: Asked) -> Response:
    """Say something to a channel, to people or to devices. Accepted means written down.

    A plain text is the body of the notification; the rest may stand in the query or in headers.
    """
    key = acceptance.key_of_request()
    asked = await said.read(query)
    wanted = said.checked(asked, house.ports.clock.wall())
    app = await senders.sender(house, caller, wanted.app_id)
    addressed(wanted, app)
    (rooms,) = await senders.rooms(house, [wanted.audience.rooms])
    await limits.take(house, caller, app, rooms)
    use = acceptance.use(house, caller, key, asked)
    item = Item(house.ports.ids.mint(), wanted, app, use, caller)
    accepted = await house.ports.database.gather(acceptance.accept, house, item)
    if isinstance(accepted, BooperError):
        raise accepted
    if wanted.scheduled_at is None:
        house.wake(names.FANOUT)
    if app is not None and accepted.left is not None:
        limits.tell_day(house, app, accepted.left)
    headers = {"Location": accepted.taken.url}
    if accepted.replayed:
        headers["Idempotent-Replayed"] = "true"
    return rendered(accepted.taken, 202, headers)


def addressed(wanted: Said, app: Sender | None) -> None:
    """Invalid, if what was said is for people or devices and no app says it."""
    if app is None and not wanted.audience.rooms:
        raise Invalid(
            "Only an app has people and devices: use its key, or name its app_id.",
            code="audience_needs_app",
        )
