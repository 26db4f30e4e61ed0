"""The least that a front door can do: JSON in, 202 and JSON out, on our own HTTP server.

    python -m booper.bench.trivial

The same server and settings as Booper's, one Quart-trio handler that reads the body as JSON, looks
at nothing and writes nothing down. It says where it is in one line, and ends when it is told to.
"""

from __future__ import annotations

from typing import Any

import trio
from quart import Quart, request
from quart_trio import QuartTrio

from booper.api import server
from booper.processes import settle_memory
from booper.settings import Http


def app() -> Quart:
    """One route."""
    made = QuartTrio(__name__, static_folder=None)

    @made.post("/api/notify")
    async def notify() -> tuple[dict[str, Any], int]:
        said = await request.get_json()
        return {"id": said["title"], "state": "queued", "url": "/"}, 202

    return made


async def serve() -> None:
    settings = Http(port=0)
    listeners = await trio.open_tcp_listeners(0, host=settings.host)
    settle_memory()
    print(f"http://{settings.host}:{listeners[0].socket.getsockname()[1]}", flush=True)  # noqa: T201
    await server.serve(app(), settings, listeners, trio.sleep_forever, 1.0)


if __name__ == "__main__":
    trio.run(serve)
