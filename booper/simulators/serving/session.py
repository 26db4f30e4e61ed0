"""One HTTP/2 connection to a simulator, without I/O: bytes and times in, bytes and deadlines out.

`link` speaks HTTP/2, an examiner judges; this module acts out faults and keeps the books.
The server around it moves bytes and watches the clock (monotonic seconds).
"""

from __future__ import annotations

import heapq
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import h2.errors
import h2.events
import h2.exceptions

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
from booper.simulators.serving.judging import PushRequest
from booper.simulators.serving.link import Link

if TYPE_CHECKING:
    from booper.simulators.serving.desk import Desk
    from booper.simulators.serving.judging import Examiner, Judged, Response

_BODY_CAP = 16 * 1024  # beyond any payload: the answer does not wait for the rest of such a body


class Ending(Enum):
    """How the server has to end the connection once what `take` gave is written."""

    CLOSE = "close"
    HANGUP = "hangup"
    DEAD = "dead"


class _Stream:
    """A request on its way in, or waiting for its answer."""

    __slots__ = ("body", "decided", "headers", "method", "number", "path", "whole")

    def __init__(self, number: int, headers: list[tuple[bytes, bytes]]) -> None:
        line = {name: value for name, value in headers if name.startswith(b":")}
        self.number = number
        self.method = line.get(b":method", b"")
        self.path = line.get(b":path", b"")
        self.headers = [(bytes(k), bytes(v)) for k, v in headers if not k.startswith(b":")]
        self.body = bytearray()
        self.whole = False
        self.decided = False


class _Due(NamedTuple):
    """An answer held back until `at`."""

    at: float
    stream_id: int
    response: Response


class Session:
    """Call `open` once, then `receive` and `tick`; after each write what `take` gives.

    `deadline` says when `tick` is wanted at the latest. `ending` is set when the connection is to
    be ended. A peer's GOAWAY ends the session: what was not answered by then stays unanswered.
    """

    def __init__(self, desk: Desk, examiner: Examiner, at: float) -> None:
        self.ending: Ending | None = None
        self.requests = 0
        self._desk = desk
        self._link = Link()
        self._open: dict[int, _Stream] = {}
        self._delayed: list[_Due] = []
        self._examiner = examiner
        self._narrowed = False
        self._leaving = False
        self._highest = 0  # the highest stream that was decided, or promised by GOAWAY
        self._heard = at
        self.take = self._link.take

    def open(self) -> None:
        """Queue the server's first words."""
        unknown = self._desk.habits.faithful_streams and not self._examiner.trusted
        limit = 1 if unknown else self._desk.habits.streams
        for script in self._desk.faults.greeting():
            self._desk.faults.use(script)
            match script.fault:
                case FewStreams(streams=streams):
                    limit, self._narrowed = streams, True
                case _:
                    self._link.stuck = True
        self._link.open(limit)

    def receive(self, data: bytes, at: float) -> None:
        """Take in what the peer sent at `at`; empty data means it left."""
        self._heard = at
        if not data:
            self.ending = Ending.CLOSE
            return
        try:
            events = self._link.events(data)
        except h2.exceptions.ProtocolError:  # the GOAWAY that says why is queued
            self.ending = Ending.CLOSE
            return
        if any(isinstance(event, h2.events.ConnectionTerminated) for event in events):
            self.ending = Ending.CLOSE
            return
        for event in events:
            self._handle(event, at)
            if self.ending is not None:
                return

    def tick(self, at: float) -> None:
        """Do what is due: answers held back, the end of an idle or a leaving connection."""
        if self.ending is not None:
            return
        while self._delayed and self._delayed[0].at <= at:
            due = heapq.heappop(self._delayed)
            self._answer(due.stream_id, due.response)
        if at < self.deadline() or self._delayed:
            return
        if self._leaving:
            self.ending = Ending.CLOSE
        else:
            for stream_id in list(self._open):
                response = self._examiner.idle()
                self._desk.ledger.refuse(response.reason)
                self._answer(stream_id, response)
            self._leave(self._link.highest, 0, "IdleTimeout")
            self._heard = at

    def deadline(self) -> float:
        """When `tick` is wanted, on the clock of `at`."""
        if self._delayed:
            return self._delayed[0].at
        owes_nothing = self._leaving and not self._open
        habits = self._desk.habits
        return self._heard + (habits.linger if owes_nothing else habits.idle_timeout)

    def _handle(self, event: h2.events.Event, at: float) -> None:
        match event:
            case h2.events.RequestReceived(stream_id=stream_id, headers=headers):
                self._begin(stream_id, headers)
            case h2.events.DataReceived(stream_id=stream_id, data=data):
                self._link.credit(event.flow_controlled_length, stream_id)
                self._grow(stream_id, data, at)
            case h2.events.StreamEnded(stream_id=stream_id):
                if (stream := self._open.get(stream_id)) is not None:
                    stream.whole = True
                    self._decide(stream, at)
            case h2.events.StreamReset(stream_id=stream_id):
                self._open.pop(stream_id, None)
            case h2.events.SettingsAcknowledged():
                self._link.acknowledged()
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                self._link.send_rest()
            case _:
                pass  # pings are answered by h2, priorities mean nothing here

    def _begin(self, stream_id: int, headers: list[tuple[bytes, bytes]]) -> None:
        if self._leaving and stream_id > self._highest:
            return  # GOAWAY has said that it will not be processed
        if self._link.room(len(self._open)):
            self._open[stream_id] = _Stream(stream_id, headers)
        else:
            self._desk.ledger.refuse("REFUSED_STREAM")
            self._link.reset(stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)

    def _grow(self, stream_id: int, data: bytes, at: float) -> None:
        stream = self._open.get(stream_id)
        if stream is not None and not stream.decided:
            stream.body += data
            if len(stream.body) > _BODY_CAP:
                self._decide(stream, at)

    def _decide(self, stream: _Stream, at: float) -> None:
        """Judge a request and see to its answer, unless a fault takes its place."""
        if stream.decided:
            return
        desk = self._desk
        request = PushRequest(stream.method, stream.path, stream.headers, bytes(stream.body))
        trusted = self._examiner.trusted
        judged = self._examiner.judge(request)
        response, due = judged.response, at
        for script in desk.faults.matching(judged.device):
            fault = script.fault
            if isinstance(fault, GoAway) and (self._leaving or self.requests < fault.after):
                continue
            desk.faults.use(script)
            match fault:
                case Delay(seconds=seconds):
                    due += seconds
                case Answer():
                    response = self._examiner.scripted(fault, judged)
                    break
                case Reset() | Dead() | Hangup():
                    self._settle(stream, trusted=trusted)
                    self._break(stream, fault, judged)
                    return
                case _:
                    self._afflict(fault)
                    if stream.number not in self._open:
                        return
        self._settle(stream, trusted=trusted)
        self._book(judged, response)
        if due > at:
            heapq.heappush(self._delayed, _Due(due, stream.number, response))
        else:
            self._answer(stream.number, response)

    def _afflict(self, fault: AnyFault) -> None:
        """Act out a fault that meets the connection rather than a request."""
        match fault:
            case FewStreams(streams=streams):
                self._narrowed = True
                self._link.announce(streams)
            case StuckWindow():
                self._link.stuck = True
            case GoAway(code=code, reason=reason):
                self._leave(self._highest, code, reason)
            case _:
                pass

    def _settle(self, stream: _Stream, *, trusted: bool) -> None:
        """Remember that a request was processed; `trusted`: whether the peer was before it."""
        stream.decided = True
        self.requests += 1
        self._highest = max(self._highest, stream.number)
        if not trusted and self._examiner.trusted and not self._narrowed:
            self._link.announce(self._desk.habits.streams)

    def _book(self, judged: Judged, response: Response) -> None:
        desk = self._desk
        if judged.silent:
            return
        if response.reason:
            desk.ledger.refuse(response.reason)
        else:
            desk.ledger.accept(judged.instance, judged.device, judged.push_id, desk.now())

    def _break(self, stream: _Stream, fault: Reset | Dead | Hangup, judged: Judged) -> None:
        """Act out a fault that leaves the request without an answer."""
        if fault.accepted and not judged.response.reason:
            self._book(judged, judged.response)
        match fault:
            case Reset(code=code):
                del self._open[stream.number]
                self._link.reset(stream.number, code)
            case Dead():
                self.ending = Ending.DEAD
            case Hangup():
                self.ending = Ending.HANGUP

    def _answer(self, stream_id: int, response: Response) -> None:
        """Queue an answer, unless the peer has reset the stream meanwhile."""
        stream = self._open.pop(stream_id, None)
        if stream is not None:
            self._link.answer(stream_id, response, whole=stream.whole)

    def _leave(self, last_stream_id: int, code: int, reason: str) -> None:
        """Say GOAWAY and forget every stream above `last_stream_id`."""
        self._leaving = True
        self._highest = last_stream_id
        self._link.goaway(last_stream_id, code, self._examiner.farewell(reason))
        for stream_id in [number for number in self._open if number > last_stream_id]:
            del self._open[stream_id]
