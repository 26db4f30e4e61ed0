"""Where requests leave the house: HTTP/2 over TLS on trio, behind the Transport port.

`Http2Transport(dice).pool(endpoint)` makes a pool; start its `run` in a nursery, then `send`.
The layers, lowest first: `tls` and `proxy` (no I/O), `line` (a socket), `dial` (how to get one),
`connection` (an engine on a line), `fleet` (the connections of one endpoint), `sending`, `queue`
and `deadlines` (what waits), `pool` on top, and `decisions`, the plain functions they ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.transport.dial import Dial, dial
from booper.transport.pool import Pool
from booper.transport.statistics import PoolStatistics

if TYPE_CHECKING:
    from booper.ports import Dice
    from booper.wire import Endpoint

__all__ = ["Http2Transport", "Pool", "PoolStatistics"]


class Http2Transport:
    """Opens pools over HTTP/2 and TLS (`ports.Transport`). `dial` is how a line is had."""

    def __init__(self, dice: Dice, *, dial: Dial = dial) -> None:
        self._dice = dice
        self._dial = dial

    def pool(self, endpoint: Endpoint) -> Pool:
        """A new pool; nothing is opened before its `run` is started and something is sent."""
        return Pool(endpoint, dial=self._dial, dice=self._dice)
