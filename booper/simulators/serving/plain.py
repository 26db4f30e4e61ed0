"""One HTTP/1.1 connection to a simulator, without I/O, by `h11`: requests one after the other.

Used as `session.Session` is. Faults that only HTTP/2 knows (windows, streams) mean nothing here;
Reset hangs up, GoAway closes the connection behind the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11

from booper.simulators.faults import Answer, Dead, Delay, GoAway, Hangup, Reset
from booper.simulators.serving.judging import Judged, PushRequest, Response
from booper.simulators.serving.session import Ending

if TYPE_CHECKING:
    from booper.simulators.serving.desk import Desk
    from booper.simulators.serving.judging import Examiner

_BODY_CAP = 64 * 1024
_HEAD_CAP = 32 * 1024
_TOO_LARGE = Response(413, (), b"", "REQUEST_TOO_LARGE")


class PlainSession:
    """`deadline` says when `tick` is wanted; `ending` is set when the connection is to be ended."""

    def __init__(self, desk: Desk, examiner: Examiner, at: float) -> None:
        self.ending: Ending | None = None
        self.requests = 0
        self._desk = desk
        self._examiner = examiner
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_CAP)
        self._out = bytearray()
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._owed: tuple[float, Response] | None = None
        self._last = False
        self._heard = at

    def open(self) -> None:
        """HTTP/1.1 has no first words."""

    def take(self) -> bytes:
        """The bytes to write now."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes, at: float) -> None:
        """Take in what the peer sent at `at`; empty data means it left."""
        self._heard = at
        try:
            self._h11.receive_data(data)
            self._read(at)
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint)
        if not data and self.ending is None:
            self.ending = Ending.CLOSE

    def tick(self, at: float) -> None:
        """Do what is due: an answer held back, the end of an idle connection."""
        if self.ending is not None or at < self.deadline():
            return
        if self._owed is None:
            self.ending = Ending.CLOSE
            return
        (_, response), self._owed = self._owed, None
        self._answer(response)
        try:
            self._read(at)
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint)

    def deadline(self) -> float:
        """When `tick` is wanted, on the clock of `at`."""
        return self._owed[0] if self._owed else self._heard + self._desk.habits.idle_timeout

    def _read(self, at: float) -> None:
        """Everything that has come, as far as no answer is held back."""
        while self._owed is None and self.ending is None:
            if self._h11.they_are_waiting_for_100_continue:
                self._say(h11.InformationalResponse(status_code=100, headers=[]))
            event = self._h11.next_event()
            if isinstance(event, h11.Request):
                self._request = event
                self._body.clear()
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > _BODY_CAP:
                    self._last = True
                    self._answer(_TOO_LARGE)
            elif isinstance(event, h11.EndOfMessage):
                self._decide(at)
            elif isinstance(event, h11.ConnectionClosed):
                self.ending = Ending.CLOSE
            else:
                return

    def _decide(self, at: float) -> None:
        """Judge the request and see to its answer, unless a fault takes its place."""
        if self._request is None:
            raise RuntimeError("a body without a head")
        head, desk = self._request, self._desk
        request = PushRequest(head.method, head.target, list(head.headers), bytes(self._body))
        judged = self._examiner.judge(request)
        response, due = judged.response, at
        for script in desk.faults.matching(judged.device):
            fault = script.fault
            if isinstance(fault, GoAway) and (self._last or self.requests < fault.after):
                continue
            desk.faults.use(script)
            match fault:
                case Delay(seconds=seconds):
                    due += seconds
                case Answer():
                    response = self._examiner.scripted(fault, judged)
                    break
                case Reset() | Dead() | Hangup():
                    if fault.accepted and not judged.response.reason:
                        self._book(judged, judged.response)
                    self.ending = Ending.DEAD if isinstance(fault, Dead) else Ending.HANGUP
                    return
                case GoAway():
                    self._last = True
                case _:
                    pass
        self.requests += 1
        self._book(judged, response)
        if due > at:
            self._owed = (due, response)
        else:
            self._answer(response)

    def _book(self, judged: Judged, response: Response) -> None:
        if judged.silent:
            return
        if response.reason:
            self._desk.ledger.refuse(response.reason)
        else:
            ledger, now = self._desk.ledger, self._desk.now()
            ledger.accept(judged.instance, judged.device, judged.push_id, now)

    def _answer(self, response: Response) -> None:
        headers = [*response.headers, (b"content-length", b"%d" % len(response.body))]
        if self._last:
            headers.append((b"connection", b"close"))
        self._say(h11.Response(status_code=response.status, headers=headers))
        if response.body:
            self._say(h11.Data(data=response.body))
        self._say(h11.EndOfMessage())
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        else:
            self.ending = Ending.CLOSE

    def _refuse(self, status: int) -> None:
        """What cannot be read is answered once, if that is still possible."""
        if self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            close = [(b"connection", b"close"), (b"content-length", b"0")]
            self._say(h11.Response(status_code=status, headers=close))
            self._say(h11.EndOfMessage())
        self.ending = Ending.CLOSE

    def _say(self, event: h11.Event) -> None:
        self._out += self._h11.send(event) or b""
