"""What waits for room: sendings in the order they came, those that came back first."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from booper.wire import Lost

if TYPE_CHECKING:
    from booper.transport.sending import Sending

_NEVER = Lost(sent=False, reason="mistake")
CHUNK = 128  # requests per write: the peer works on them while we encode the next


class Taker(Protocol):
    """A connection, as the queue sees it."""

    @property
    def room(self) -> int: ...

    def submit(self, sending: Sending, limit: int) -> int: ...

    def flush(self) -> None: ...


class Queue:
    """Its length is bounded by its callers: each waits for its sending, and one that gives up
    takes it out again."""

    def __init__(self) -> None:
        self.count = 0
        """Requests waiting."""
        self.replayed = 0
        """Requests that came back so far."""
        self.returned: list[Sending] = []
        """Sendings with requests that came back; `reclaim` queues them."""
        self._order: OrderedDict[Sending, None] = OrderedDict()

    def put(self, sending: Sending) -> None:
        """Behind all others."""
        self._order[sending] = None
        self.count += sending.waiting

    def fill(self, taker: Taker) -> None:
        """Hand over whatever there is room for, in chunks, each written at once."""
        while self.count and (room := taker.room) > 0:
            self._hand(taker, min(CHUNK, room))
            taker.flush()

    def hand(self, taker: Taker) -> None:
        """One chunk."""
        self._hand(taker, min(CHUNK, taker.room))
        taker.flush()

    def _hand(self, taker: Taker, left: int) -> None:
        while left > 0 and self._order:
            sending = next(iter(self._order))
            try:
                took = taker.submit(sending, left)
            except ValueError as error:  # the template cannot be sent, so nothing of it was
                sending.mistake = error
                self._order.pop(sending)
                self.count -= sending.drop(_NEVER)
                sending.wake()
                continue
            if not sending.runs:
                del self._order[sending]
            if not took:
                return
            self.count -= took
            left -= took

    def reclaim(self) -> bool:
        """Queue what came back, ahead of everything else; whether anything did."""
        if not self.returned:
            return False
        for sending in self.returned:
            again = sending.requeue()
            self._order[sending] = None
            self._order.move_to_end(sending, last=False)
            self.count += again
            self.replayed += again
        self.returned.clear()
        return True

    def remove(self, sending: Sending, answer: Lost) -> None:
        """Take it out; what of it waited gets `answer`."""
        self._order.pop(sending, None)
        self.count -= sending.drop(answer)

    def fail(self, answer: Lost) -> None:
        """Everything that waits gets `answer`; who has nothing else open is woken."""
        for sending in list(self._order):
            self.remove(sending, answer)
            if not sending.left:
                sending.wake()
