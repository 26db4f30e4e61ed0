"""All ways out of the house together: HTTP/2 pools, HTTP/1.1 clients, and the guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.transport.guard import Guard
from booper.transport.http2 import Http2Transport

if TYPE_CHECKING:
    from booper.ports import Dice
    from booper.transport.requests import Client
    from booper.wire import Outlet


class Network(Http2Transport):
    """Opens pools and clients (`ports.Transport`)."""

    def __init__(self, dice: Dice, guard: Guard | None = None) -> None:
        super().__init__(dice)
        self.guard = guard or Guard()

    def client(self, outlet: Outlet) -> Client:
        """A new client; nothing is opened before something is sent."""
        from booper.transport.requests import Client  # httpcore takes a while to be imported

        return Client(outlet, self.guard)
