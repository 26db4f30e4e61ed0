"""What waits for room. What came back goes first; then who fits one chunk; long ones take turns."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from booper.wire import Lost

if TYPE_CHECKING:
    from booper.transport.sending import Sending

_NEVER = Lost(sent=False, reason="mistake")
CHUNK = 128  # requests per write: the peer works on them while we encode the next
SHARE = 4  # every fourth chunk is a long one's, however many short ones come


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
        self._again: OrderedDict[Sending, None] = OrderedDict()
        self._short: OrderedDict[Sending, None] = OrderedDict()
        self._long: OrderedDict[Sending, None] = OrderedDict()
        self._chunks = 0

    def put(self, sending: Sending) -> None:
        """Behind all others of its kind."""
        line = self._short if sending.waiting <= CHUNK else self._long
        line[sending] = None
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
        self._chunks += 1
        while left > 0 and (line := self._line()):
            sending = next(iter(line))
            try:
                took = taker.submit(sending, left)
            except ValueError as error:  # the template cannot be sent, so nothing of it was
                sending.mistake = error
                del line[sending]
                self.count -= sending.drop(_NEVER)
                sending.wake()
                continue
            if not sending.runs:
                del line[sending]
            elif line is self._long:
                line.move_to_end(sending)
            if not took:
                return
            self.count -= took
            left -= took

    def _line(self) -> OrderedDict[Sending, None]:
        """Whose turn it is; empty if nothing waits."""
        if self._long and self._chunks % SHARE == 0:
            return self._long
        return self._again or self._short or self._long

    def reclaim(self) -> bool:
        """Queue what came back, ahead of everything else; whether anything did."""
        if not self.returned:
            return False
        for sending in self.returned:
            again = sending.requeue()
            self._short.pop(sending, None)
            self._long.pop(sending, None)
            self._again[sending] = None
            self._again.move_to_end(sending, last=False)
            self.count += again
            self.replayed += again
        self.returned.clear()
        return True

    def remove(self, sending: Sending, answer: Lost) -> None:
        """Take it out; what of it waited gets `answer`."""
        for line in (self._again, self._short, self._long):
            line.pop(sending, None)
        self.count -= sending.drop(answer)

    def fail(self, answer: Lost) -> None:
        """Everything that waits gets `answer`; who has nothing else open is woken."""
        for sending in [*self._again, *self._short, *self._long]:
            self.remove(sending, answer)
            if not sending.left:
                sending.wake()
