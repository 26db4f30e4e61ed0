"""The front: the child of the tree that serves the app. It starts last and stops first."""

from __future__ import annotations

import os
from socket import socket
from typing import TYPE_CHECKING

import msgspec
import trio

from booper.api import server
from booper.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart import Quart

    from actors import StartedCallback, Worker
    from booper.settings import Http


class Front:
    """Where the front door is, and whether it is closing. A restart listens on the same port."""

    def __init__(self, http: Http, grace: float, inherited: Sequence[int] = ()) -> None:
        """`grace`: seconds that the requests under way get to finish when it stops; `inherited`:
        descriptors that listen already, and stay open for the next life."""
        self._http = http
        self._inherited = inherited
        self._grace = grace
        self._port = http.port
        self._stopping = trio.Event()

    @property
    def url(self) -> str:
        """What to put in front of a path; with port 0, true only once it listens."""
        return url_of(self._http.host, self._port)

    def address(self) -> str:
        """The same; "" while it is not known."""
        return self.url if self._port else ""

    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def worker(self, app: Quart) -> Worker:
        """Serves `app` until it is asked to stop."""

        async def serve(*, task_status: StartedCallback) -> None:
            self._stopping = stopping = trio.Event()
            listeners = [_inherited(one) for one in self._inherited]
            if not listeners:
                listeners = await listen(msgspec.structs.replace(self._http, port=self._port))
            self._port = listeners[0].socket.getsockname()[1]
            task_status.started(stopping.set)
            await server.serve(app, self._http, listeners, stopping.wait, self._grace)

        return serve


async def listen(http: Http) -> list[trio.SocketListener]:
    """Listen where the settings say; Misconfigured where that cannot be."""
    try:
        return await trio.open_tcp_listeners(http.port, host=http.host)
    except OSError as error:
        raise Misconfigured(
            f"Cannot listen on {http.host}:{http.port}: {error.strerror}.", code="cannot_listen"
        ) from error


def _inherited(descriptor: int) -> trio.SocketListener:
    """The socket behind a descriptor that somebody else opened, beside it."""
    return trio.SocketListener(trio.socket.from_stdlib_socket(socket(fileno=os.dup(descriptor))))


def url_of(host: str, port: int) -> str:
    """What to put in front of a path."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
