"""The front: the child of the tree that serves the app. It starts last and stops first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from booper.api import server
from booper.domain.errors import Misconfigured

if TYPE_CHECKING:
    from quart import Quart

    from actors import StartedCallback, Worker
    from booper.settings import Http


class Front:
    """Where the front door is, and whether it is closing. A restart listens on the same port."""

    def __init__(self, http: Http, grace: float) -> None:
        """`grace`: seconds that the requests under way get to finish when it stops."""
        self._http = http
        self._grace = grace
        self._port = http.port
        self._stopping = trio.Event()

    @property
    def url(self) -> str:
        """What to put in front of a path; with port 0, true only once it listens."""
        host = f"[{self._http.host}]" if ":" in self._http.host else self._http.host
        return f"http://{host}:{self._port}"

    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def worker(self, app: Quart) -> Worker:
        """Serves `app` until it is asked to stop."""

        async def serve(*, task_status: StartedCallback) -> None:
            self._stopping = stopping = trio.Event()
            try:
                listeners = await trio.open_tcp_listeners(self._port, host=self._http.host)
            except OSError as error:
                raise Misconfigured(
                    f"Cannot listen on {self._http.host}:{self._port}: {error.strerror}.",
                    code="cannot_listen",
                ) from error
            self._port = listeners[0].socket.getsockname()[1]
            task_status.started(stopping.set)
            await server.serve(app, self._http, listeners, stopping.wait, self._grace)

        return serve
