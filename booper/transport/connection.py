"""One HTTP/2 connection: the engine, its line, and the three tasks that move it.

The reader does nearly everything: it hears, lets the pool settle what is finished, takes new
requests into the room this made, and writes them in one go. The writer works only when the
system does not take what we write; while it does not, no further request is taken. The third
task looks at the clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import trio

from booper.http2 import Client
from booper.precedence import precedence
from booper.transport.bell import Bell
from booper.transport.decisions import Ages, Care, lifetime, proves
from booper.transport.line import Line, LineClosed
from booper.wire import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from booper.http2 import Batch
    from booper.ports import Dice
    from booper.transport.sending import Sending
    from booper.wire import Endpoint

RETIRED = "retired"
LAST_WORDS = 1.0  # seconds to read what a peer said before it stopped listening


class Owner(Protocol):
    """What a connection tells its pool. None of these waits."""

    def usable(self, connection: Connection) -> None:
        """The peer's SETTINGS are here: requests may be sent."""
        ...

    def settle(self, finished: Iterable[Batch]) -> None:
        """The last answers of these are here, or some requests came back to go again."""
        ...

    def refill(self, connection: Connection) -> None:
        """There may be room for more."""
        ...

    def aged(self, connection: Connection) -> None:
        """It has lived long enough; `retire` it when there is another."""
        ...


class Connection:
    """A line in use. `reason` is None while it works, afterwards why it does not."""

    def __init__(
        self,
        line: Line,
        endpoint: Endpoint,
        owner: Owner,
        dice: Dice,
        replaces: Connection | None = None,
    ) -> None:
        self.replaces = replaces
        self._line = line
        self._endpoint = endpoint
        self._owner = owner
        self._engine = Client()
        self._writer = Bell()
        now = trio.current_time()
        self._ages = Ages(now, now, now + lifetime(endpoint.max_age, dice))
        self._scope = trio.CancelScope()
        self.retired = False
        self._stuck = False
        self._begun = False
        self._probe: tuple[Sending, int] | None = None
        self.proving = endpoint.one_stream_start
        self.settled = False
        self.answered = False
        self.reason: str | None = None

    # -- what the pool asks

    @property
    def open_streams(self) -> int:
        """Requests begun here and not ended."""
        return self._engine.open_streams

    @property
    def streams(self) -> int:
        """How many requests the peer lets be open at once."""
        return self._engine.peer.streams

    @property
    def draining(self) -> bool:
        """It takes nothing more, and ends when what is open has ended."""
        return self.retired or self._engine.draining or self.reason is not None

    @property
    def room(self) -> int:
        """How many requests to hand over now."""
        if self._stuck or self.retired or self.reason is not None or self._line.backlog:
            return 0
        room = self._engine.room
        if self.proving and room:
            return max(0, 1 - self._engine.open_streams)
        return room

    @property
    def turned_away(self) -> bool:
        """The peer let us in and out again without taking a single request."""
        taken = self._engine.goaway is not None and self._engine.goaway[0] > 0
        return self.settled and not (self.answered or taken or self.retired)

    def submit(self, sending: Sending, limit: int) -> int:
        """Begin up to `limit` requests of its first run; how many. `flush` writes them."""
        start, stop = sending.runs[0]
        limit = min(limit, stop - start)
        took = self._engine.submit(sending.template, sending.stamps, start, limit, sending)
        if took:
            self._begun = True
            if self.proving or (self._probe is None and not self.answered):
                self._probe = (sending, start)
            sending.took(took)
        if took < limit:
            self._stuck = True  # a window is full: until the peer says something new
        return took

    def flush(self) -> None:
        """Write what the engine has to say, as one piece."""
        if self.reason not in (None, RETIRED):
            return  # what is not taken from the engine counts as never sent
        data = self._engine.take()
        if not data:
            return
        if self._begun:
            self._begun = False
            self._ages.used = trio.current_time()
        try:
            self._line.write(data)
        except LineClosed as closed:
            # What the peer said before may still be read: a GOAWAY makes an exact end of it.
            self._end(str(closed), within=LAST_WORDS)
            return
        if self._line.backlog:
            self._writer.ring()  # what may pile up now is bounded by the engine's Limits

    def cancel(self, sendings: Iterable[Sending], reason: str) -> None:
        """Reset the requests of these that are open here, in one write."""
        for sending in sendings:
            self._engine.cancel(sending, reason)
        self.flush()
        self._end_if_drained()

    def retire(self) -> None:
        """Take nothing more; end when what is open has ended."""
        self.retired = True
        self._end_if_drained()

    # -- its life

    async def run(self, ready_by: float) -> None:
        """Live until the line ends or has no use any more.

        Ends early if the peer's SETTINGS are not here at time `ready_by`. However it ends, also
        when cancelled, every request is accounted for, the owner knows, and the line is closed.
        """
        try:
            with self._scope:
                if self._scope.deadline > ready_by:
                    self._scope.deadline = ready_by
                async with trio.open_nursery() as nursery:
                    self.flush()
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._watch)
                    await self._read()
                    nursery.cancel_scope.cancel()
            if not self.settled:
                self._end("no HTTP/2 settings came in time")
        finally:
            self._close()

    async def _read(self) -> None:
        line, engine, owner = self._line, self._engine, self._owner
        while True:
            await line.readable()
            await precedence().clear()
            try:
                data = line.read()
            except LineClosed as closed:
                self._end(self._farewell(str(closed)))
                return
            if not data:
                continue
            self._ages.heard = trio.current_time()
            self._stuck = False
            finished = engine.receive(data)
            if self._probe is not None:
                self._judge(*self._probe)
            if not self.settled and engine.settled:
                self.settled = True
                self._scope.deadline = float("inf")
                owner.usable(self)
            owner.settle(finished)
            owner.refill(self)
            self.flush()
            if engine.failure is not None:
                self._end(str(engine.failure))
                return
            if self.draining and not engine.open_streams:
                self._end(self._farewell(RETIRED))
                return

    async def _write(self) -> None:
        while True:
            await self._writer.wait()
            while self._line.backlog:
                try:
                    await self._line.writable()
                except LineClosed as closed:
                    self._end(str(closed), within=LAST_WORDS)
                    return
            self._owner.refill(self)
            self.flush()

    async def _watch(self) -> None:
        while True:
            now = trio.current_time()
            care, after = self._ages.care(self._endpoint, now, self._engine.open_streams)
            if care is Care.NOTHING:
                await trio.sleep_until(after)
            elif care is Care.PING:
                self._ages.pinged = now
                self._engine.ping()
                self.flush()
            elif care is Care.OLD:
                self._ages.expires = now + self._endpoint.max_age / 10  # if no other comes
                self._owner.aged(self)
            elif care is Care.IDLE:
                self.retire()
                await trio.sleep_forever()
            else:
                self._end("the peer does not answer")
                return

    def _judge(self, sending: Sending, index: int) -> None:
        answer = sending.answers[index]
        if answer is not None:
            self._probe = None
            self.answered = self.answered or isinstance(answer, Reply)
            self.proving = self.proving and not proves(answer)

    def _farewell(self, reason: str) -> str:
        """`reason`, or what the peer's GOAWAY said."""
        if self._engine.goaway is None:
            return reason
        _, code, detail = self._engine.goaway
        said = detail[:200].decode("ascii", "replace")
        return f"GOAWAY {code} {said}".strip()

    def _end_if_drained(self) -> None:
        if self.draining and not self._engine.open_streams:
            self._end(self._farewell(RETIRED))

    def _end(self, reason: str, within: float = 0.0) -> None:
        if self.reason is None:
            self.reason = reason
        self._scope.deadline = min(self._scope.deadline, trio.current_time() + within)

    def _close(self) -> None:
        """Say goodbye if the line still works, and account for every open request."""
        if self.reason in (None, RETIRED):
            self._engine.close()
            self.flush()
        if self.reason is None:
            self.reason = "closed"
        finished = self._engine.lost_all("closed", self.reason)
        self._line.close()
        self._owner.settle(finished)
