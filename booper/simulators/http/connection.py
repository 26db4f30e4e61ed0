"""One connection to a simulated provider: calls in, answers out, one after the other."""

from __future__ import annotations

import socket
import struct
from email.utils import formatdate
from typing import TYPE_CHECKING

import h11
import trio

from booper.simulators.faults import Dead, Hangup, Reset
from booper.simulators.http import script
from booper.simulators.http.call import Call

if TYPE_CHECKING:
    from booper.simulators.http.call import Ruling
    from booper.simulators.http.script import Break
    from booper.simulators.http.server import HttpSimulator

BODY_LIMIT = 1024 * 1024  # bytes
_CHUNK = 64 * 1024
_RST = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds


class Connection:
    """Serves one peer until it leaves, errs, is idle for too long, or a fault ends it."""

    def __init__(
        self, owner: HttpSimulator, stream: trio.abc.Stream, raw: trio.SocketStream
    ) -> None:
        self._owner = owner
        self._stream = stream
        self._raw = raw
        self._http = h11.Connection(h11.SERVER)
        self._answered = 0

    async def run(self) -> None:
        """Never raises for what a peer says; broken streams are the caller's to catch."""
        while True:
            try:
                call = await self._call()
            except h11.RemoteProtocolError as error:
                await self._refuse(error.error_status_hint)
                return
            if call is None or not await self._act(call):
                return
            self._answered += 1
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()

    async def _call(self) -> Call | None:
        """The next call, or None when the peer has left or said nothing for too long."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            match event:
                case h11.NEED_DATA:
                    if self._http.they_are_waiting_for_100_continue:
                        go = h11.InformationalResponse(status_code=100, headers=[])
                        await self._stream.send_all(self._http.send(go))
                    data = b""
                    with trio.move_on_after(self._owner.idle_timeout):
                        data = bytes(await self._stream.receive_some(_CHUNK))
                    if not data and head is None:
                        return None
                    self._http.receive_data(data)
                case h11.Request():
                    head = event
                case h11.Data():
                    body += event.data
                    if len(body) > BODY_LIMIT:
                        raise h11.RemoteProtocolError("too long", error_status_hint=413)
                case h11.EndOfMessage() if head is not None:
                    headers = ((k.decode("latin-1"), v.decode("latin-1")) for k, v in head.headers)
                    target = head.target.decode("latin-1")
                    return Call(head.method.decode(), target, tuple(headers), bytes(body))
                case _:
                    return None

    async def _act(self, call: Call) -> bool:
        """Judge, book, answer; False if the connection is at its end."""
        owner = self._owner
        ruling = owner.rules.judge(call, owner.now())
        act = script.decide(call, ruling, owner.rules, owner.faults, self._answered)
        if act.ruling is not None:
            owner.book(act.ruling)
        if act.delay:
            await trio.sleep(act.delay)
        if act.breaks is not None:
            await self._break(act.breaks)
            return False
        if act.ruling is not None:
            await self._answer(act.ruling, last=act.last)
        return True

    async def _answer(self, ruling: Ruling, *, last: bool) -> None:
        headers = [
            ("Date", formatdate(self._owner.now(), usegmt=True)),
            ("Content-Length", str(len(ruling.body))),
            *ruling.headers,
        ]
        if last:
            headers.append(("Connection", "close"))
        response = h11.Response(status_code=ruling.status, headers=headers)
        data = self._http.send(response)
        if ruling.body:
            data += self._http.send(h11.Data(ruling.body))
        await self._stream.send_all(data + self._http.send(h11.EndOfMessage()))

    async def _refuse(self, status: int) -> None:
        """The last word to a peer that does not speak HTTP."""
        self._owner.ledger.refuse(f"HTTP {status}")
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            response = h11.Response(
                status_code=status, headers=[("Content-Length", "0"), ("Connection", "close")]
            )
            data = self._http.send(response) + self._http.send(h11.EndOfMessage())
            await self._stream.send_all(data)

    async def _break(self, fault: Break) -> None:
        """Leave the call without an answer, in the way of the fault."""
        match fault:
            case Reset():
                self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
            case Dead():
                await trio.sleep(self._owner.idle_timeout)
            case Hangup():
                pass
        self._raw.socket.close()
