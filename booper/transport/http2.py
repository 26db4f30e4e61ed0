"""Opens pools over HTTP/2 and TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.transport.dial import Dial, dial
from booper.transport.pool import Pool

if TYPE_CHECKING:
    from booper.ports import Dice
    from booper.wire import Endpoint


class Http2Transport:
    """The HTTP/2 part of `ports.Transport`. `dial` is how a line is had."""

    def __init__(self, dice: Dice, *, dial: Dial = dial) -> None:
        self._dice = dice
        self._dial = dial

    def pool(self, endpoint: Endpoint) -> Pool:
        """A new pool; nothing is opened before its `run` is started and something is sent."""
        return Pool(endpoint, dial=self._dial, dice=self._dice)
