"""A small FCM in the fast lane, for measurements: one project, any device, any access token.

It judges a request's method, path, access token, JSON and device, and accepts it with a name, as
FCM's HTTP v1 API does; it knows no errors of devices and writes nothing down but their number.
Source: Firebase, "FCM REST API", projects.messages.send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import trio

from booper.http2 import Server, answer_block
from booper.simulators.certificates import Authority
from booper.simulators.fast.connection import Answer, Answers, converse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.http2 import Head, Request

_JSON = (b"content-type", b"application/json; charset=UTF-8")
_OK = answer_block(200, (_JSON,))


class _Message(msgspec.Struct):
    token: str = ""


class _Push(msgspec.Struct):
    message: _Message


_decode = msgspec.json.Decoder(_Push).decode


class FastFcmSimulator:
    """An FCM server that accepts. `accepted` counts; `port` and `url` are known once it serves."""

    def __init__(
        self,
        project: str = "p",
        *,
        access_token: str | None = None,
        authority: Authority | None = None,
        streams: int = 1000,
        delay: float = 0.0,
    ) -> None:
        self.authority = authority or Authority()
        self.access_token = access_token
        self.project = project
        self.streams = streams
        self.port = 0
        self.accepted = 0
        self._delay = delay

    @property
    def ca_pem(self) -> str:
        """The certificate of the authority behind the server's certificate."""
        return self.authority.pem

    @property
    def url(self) -> str:
        """Where a client on this machine finds the server."""
        return f"https://localhost:{self.port}"

    async def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled; gives the port once connections are accepted."""
        listeners = await trio.open_tcp_listeners(port, host=host, backlog=1024)
        self.port = listeners[0].socket.getsockname()[1]
        context = self.authority.server_context()

        async def handle(stream: trio.SocketStream) -> None:
            await converse(stream, context, FcmClerk(self), delay=self._delay)

        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, handle, listeners)
            task_status.started(self.port)


class FcmClerk:
    """Answers one connection."""

    def __init__(self, simulator: FastFcmSimulator) -> None:
        self.server = Server(streams=simulator.streams)
        self._simulator = simulator
        self._path = f"/v1/projects/{simulator.project}/messages:send".encode()
        self._name = f"projects/{simulator.project}/messages/".encode()
        self._head: Head | None = None

    def answer(self, requests: Sequence[Request]) -> Answers:
        """In order. A head found good is not looked at again."""
        answers: list[Answer] = []
        name = self._name
        number = self._simulator.accepted
        for stream, path, head, _, body in requests:
            refusal = self._refusal(head, path) or _unreadable(body)
            if refusal is not None:
                answers.append((stream, *refusal))
                continue
            number += 1
            answers.append((stream, _OK, b'{"name": "%b%d"}' % (name, number)))
        self._simulator.accepted = number
        return Answers(answers, [])

    def _refusal(self, head: Head, path: bytes) -> tuple[bytes, bytes] | None:
        if head is self._head and path == self._path:
            return None
        if path != self._path:
            return _problem(404, "NOT_FOUND")
        if head.method != b"POST":
            return _problem(405, "METHOD_NOT_ALLOWED")
        given = dict(head.fields).get(b"authorization", b"")
        scheme, _, token = given.partition(b" ")
        wanted = self._simulator.access_token
        if scheme.lower() != b"bearer" or (token.decode() != wanted if wanted else not token):
            return _problem(401, "UNAUTHENTICATED")
        self._head = head
        return None


def _unreadable(body: bytes) -> tuple[bytes, bytes] | None:
    try:
        return None if _decode(body).message.token else _problem(400, "INVALID_ARGUMENT")
    except msgspec.DecodeError:
        return _problem(400, "INVALID_ARGUMENT")


def _problem(status: int, word: str) -> tuple[bytes, bytes]:
    error = {"error": {"code": status, "message": word.lower(), "status": word}}
    return answer_block(status, (_JSON,)), msgspec.json.encode(error)
