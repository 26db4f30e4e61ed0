"""Limits: how often a caller may say something, and how the answer tells it (RateLimit headers).

Anybody: so often an address, so often a channel. An app: so often by its plan, however many
addresses it calls from; what it may send in a day is counted in the store.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quart import g, request

from booper.domain import limit
from booper.domain.caller import Operator
from booper.domain.errors import TooOften
from booper.domain.limit import Limit
from booper.domain.origin import origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.api.house import House
    from booper.api.senders import Sender
    from booper.domain.caller import Caller
    from booper.domain.limit import Verdict
    from booper.domain.plan import Plan

DAY = 86_400
LIMITED = ("too_many_requests", "quota_exceeded")
_HEADERS = "rate_limit_headers"


def client(house: House) -> str:
    """The address that limits count for."""
    forwarded = ",".join(request.headers.getlist("X-Forwarded-For"))
    return origin(request.remote_addr, forwarded, house.settings.http.proxies)


def plan_of(house: House, app: Sender) -> Plan:
    """What the app may do; where its plan is no longer in the settings, what a new app may."""
    plans = house.settings.plans
    return plans.get(app.plan) or plans[house.settings.accounts.plan]


async def take(house: House, caller: Caller, app: Sender | None, rooms: Sequence[str]) -> None:
    """Count one request; TooOften if it is one too many, and then nothing is counted.

    `rooms`: the public channels it is for, in their one spelling.
    """
    wanted = _wanted(house, caller, app, rooms)
    if wanted:
        verdicts = await house.limiter.take([one for _, one in wanted])
        _tell(wanted, verdicts)
        if (error := _refusal(wanted, verdicts)) is not None:
            raise error


async def take_each(
    house: House, caller: Caller, asked: Sequence[tuple[Sender | None, Sequence[str]]]
) -> list[TooOften | None]:
    """The same for many in one request, each by itself: the error of what is one too many.

    An app's limit counts requests, so it counts one for all that is said in its name; what goes to
    the public counts one by one, and the first come are served.
    """
    alike: dict[tuple[Sender | None, tuple[str, ...]], list[int]] = {}
    for place, (app, rooms) in enumerate(asked):
        alike.setdefault((app, tuple(rooms) if app is None else ()), []).append(place)
    found: list[TooOften | None] = [None] * len(asked)
    words: list[tuple[list[tuple[str, Limit]], list[Verdict]]] = []
    closed: TooOften | None = None  # the address has had its part: whatever the channel
    for (app, rooms), places in alike.items():
        wanted = _wanted(house, caller, app, rooms)
        error, granted = closed, 0
        if wanted and (app is not None or closed is None):
            most = len(places) if app is None else 1
            granted, verdicts = await _take_most(house, [one for _, one in wanted], most)
            words.append((wanted, verdicts))
            error = _refusal(wanted, verdicts) if granted < most else None
            if wanted[0][0] == "address" and not verdicts[0].allowed:
                closed = error
        if error is not None:
            for place in places[granted:]:
                found[place] = error
    if words:
        _tell(*max(words, key=lambda word: limit.gravity(limit.worst(word[1]))))
    return found


async def _take_most(house: House, limits: Sequence[Limit], most: int) -> tuple[int, list[Verdict]]:
    """How many of `most` all limits have room for, which are counted; and their last word."""
    granted, cost = 0, most
    while True:
        verdicts = await house.limiter.take(limits, cost)
        if all(verdict.allowed for verdict in verdicts):
            granted += cost
            cost = most - granted
            if not cost:
                return granted, verdicts
        elif cost == 1:
            return granted, verdicts
        else:  # somebody else may take some of what remains: then it is asked for less
            cost = max(1, min(cost - 1, *(verdict.remaining for verdict in verdicts)))


def _wanted(
    house: House, caller: Caller, app: Sender | None, rooms: Sequence[str]
) -> list[tuple[str, Limit]]:
    """The limits that one request counts for, by the names that the answer has for them."""
    wanted: list[tuple[str, Limit]] = []
    if app is not None:
        if rate := plan_of(house, app).per_second:
            wanted.append(("app", Limit(f"notify:app:{app.id}", rate, rate)))
    elif not isinstance(caller, Operator):
        public = house.settings.public
        if rate := public.per_address:
            wanted.append(("address", Limit(f"notify:address:{client(house)}", rate, rate)))
        if rate := public.per_channel:
            wanted += [("channel", Limit(f"notify:channel:{name}", rate, rate)) for name in rooms]
    return wanted


def _tell(wanted: list[tuple[str, Limit]], verdicts: list[Verdict]) -> None:
    """Let the answer carry the worst of them."""
    worst = limit.worst(verdicts)
    name, which = wanted[verdicts.index(worst)]
    tell(name, which.burst, 1, worst.remaining, worst.reset_after)


def _refusal(wanted: list[tuple[str, Limit]], verdicts: list[Verdict]) -> TooOften | None:
    worst = limit.worst(verdicts)
    if worst.allowed:
        return None
    name, which = wanted[verdicts.index(worst)]
    return TooOften(
        f"At most {which.burst} a second for one {name}.",
        code="too_many_requests",
        retry_after=worst.retry_after,
    )


def tell(name: str, most: int, window: int, left: int, seconds: float) -> None:
    """Let the answer carry a limit (draft-ietf-httpapi-ratelimit-headers): `left` of `most` in
    `window` seconds are left, and all of them again after `seconds`."""
    wait = math.ceil(seconds)
    headers: dict[str, str] = g.get(_HEADERS) or {}
    policy, state = f'"{name}";q={most};w={window}', f'"{name}";r={left};t={wait}'
    if headers:
        policy = f"{headers['RateLimit-Policy']}, {policy}"
        state = f"{headers['RateLimit']}, {state}"
    found = {"RateLimit-Policy": policy, "RateLimit": state}
    if not headers or left < int(headers["RateLimit-Remaining"]):
        found |= {
            "RateLimit-Limit": str(most),
            "RateLimit-Remaining": str(left),
            "RateLimit-Reset": str(wait),
        }
    setattr(g, _HEADERS, headers | found)


def tell_day(house: House, app: Sender, left: int) -> None:
    """Let the answer carry how many notifications the app may send today."""
    now, most = house.ports.clock.wall(), plan_of(house, app).per_day
    tell("day", most, DAY, left, DAY - now % DAY)


def told() -> dict[str, str]:
    """The headers of what was told about this request's limits."""
    found: dict[str, str] = g.get(_HEADERS) or {}
    return found


def exceeded(plan: Plan, now: float) -> TooOften:
    """What an app hears that has used up its day."""
    return TooOften(
        f"This app's plan has {plan.per_day} notifications a day (of UTC).",
        code="quota_exceeded",
        retry_after=DAY - now % DAY,
    )
