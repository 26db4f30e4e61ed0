"""Changes: how often a caller may change subscriptions and channels, or look them up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.api import limits
from booper.api.senders import Sender
from booper.domain.caller import AppKey, Operator
from booper.domain.errors import TooOften
from booper.domain.limit import Limit

if TYPE_CHECKING:
    from booper.api.house import House
    from booper.domain.caller import Caller

LIMITED = ("too_many_requests",)


async def count(house: House, caller: Caller) -> None:
    """Count one: for an app's key by its plan, for everybody else but operators by their address.
    TooOften if it is one too many."""
    if isinstance(caller, Operator):
        return
    if isinstance(caller, AppKey):
        rate = limits.plan_of(house, Sender(caller.number, caller.app, caller.plan)).per_second
        name, key = "app", f"change:app:{caller.app}"
    else:
        rate = house.settings.public.changes_per_address
        name, key = "address", f"change:address:{limits.client(house)}"
    if not rate:
        return
    (verdict,) = await house.limiter.take([Limit(key, rate, rate)])
    limits.tell(name, rate, 1, verdict.remaining, verdict.reset_after)
    if not verdict.allowed:
        raise TooOften(
            f"At most {rate} changes a second for one {name}.",
            code="too_many_requests",
            retry_after=verdict.retry_after,
        )
