"""Publishing: who may speak in public channels that want a key for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.domain.caller import Anonymous, ChannelHolder, Operator, Publisher
from booper.domain.errors import Refused, Unauthenticated

if TYPE_CHECKING:
    from booper.domain.caller import Caller
    from booper.store.audiences import Resolved

ERRORS = {401: ("publish_key_required",), 403: ("publish_key_required", "wrong_publish_key")}


def check(caller: Caller, to: Resolved) -> None:
    """Nothing, if the caller may speak in all of these channels; else Unauthenticated or Refused.

    A key is for its own channel and no other, also where none is wanted: who presents it means
    something by it.
    """
    if not to.guarded and not isinstance(caller, Publisher):
        return
    held = caller.number if isinstance(caller, Publisher | ChannelHolder) else None
    rooms = {to.channel} if to.channel is not None else set(to.channels)
    if isinstance(caller, Publisher) and rooms != {held}:
        raise Refused("This key is for another channel.", code="wrong_publish_key")
    if isinstance(caller, Operator) or not set(to.guarded) - {held}:
        return
    detail = "Publishing here wants the channel's key: Authorization: Bearer bpp_…"
    if isinstance(caller, Anonymous):
        raise Unauthenticated(detail, code="publish_key_required")
    raise Refused(detail, code="publish_key_required")
