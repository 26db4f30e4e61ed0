"""Twenty kinds of trouble that a tenant's instance can be in, each by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from booper.bench.bugs import PLACES, Crashing
from booper.simulators.apns import generate_key
from booper.simulators.faults import (
    Answer,
    AnyFault,
    Dead,
    Delay,
    FewStreams,
    GoAway,
    Hangup,
    Reset,
    StuckWindow,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from booper.providers.provider import Codec
    from tests.booper.journeys.neighbourhood import Neighbour


def scripted(fault: AnyFault) -> Callable[[Neighbour], None]:
    """Its provider does this to everybody."""

    def bend(neighbour: Neighbour) -> None:
        neighbour.apple.faults.script(fault)

    return bend


def setting(**table: Any) -> Callable[[Neighbour], None]:
    """Its settings say something that cannot work; None takes one away."""

    def bend(neighbour: Neighbour) -> None:
        for name, value in table.items():
            neighbour.table.pop(name, None)
            if value is not None:
                neighbour.table[name] = value

    return bend


def foreign_key(neighbour: Neighbour) -> None:
    """A good key that its provider does not know."""
    neighbour.table["private_key"] = generate_key().private_key_pem


def crashing(place: str) -> Callable[[Codec], Codec]:
    return lambda codec: Crashing(codec, place)


BENT: dict[str, Callable[[Neighbour], None]] = {
    "unavailable": scripted(Answer(status=503, reason="Shutdown")),
    "broken": scripted(Answer(status=500, reason="InternalServerError")),
    "moved": scripted(Answer(status=301)),
    "overrun": scripted(Answer(status=429, reason="TooManyRequests")),
    "wrong-key": foreign_key,
    "refused": scripted(Answer(status=403, reason="InvalidProviderToken")),
    "expired": scripted(Answer(status=403, reason="ExpiredProviderToken")),
    "minted-out": scripted(Answer(status=429, reason="TooManyProviderTokenUpdates")),
    "mixed-up": scripted(Answer(status=400, reason="BadDeviceToken")),
    "deserted": scripted(Answer(status=410, reason="Unregistered")),
    "resetting": scripted(Reset(code=2)),
    "hanging-up": scripted(Hangup()),
    "dead": scripted(Dead()),
    "hanging": scripted(Delay(seconds=3600)),
    "stuck": scripted(StuckWindow()),
    "going-away": scripted(GoAway()),
    "no-streams": scripted(FewStreams(streams=0)),
    "not-there": setting(url="https://localhost:1"),
    "untrusted": setting(ca_file=None),
    "no-proxy": setting(proxy="http://me:hush@127.0.0.1:1"),
}
CRASHING = {f"crashing-{place}": crashing(place) for place in PLACES}
TROUBLED = [*BENT, *CRASHING]
