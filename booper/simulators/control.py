"""A simulator's remote control, for other processes: plain HTTP/1.1 on the loopback address.

The demo and the tests that kill processes read the ledger and script faults through it; whoever
runs a simulator inside their own process needs none of this. Who can reach it may do everything.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import hypercorn.config
import hypercorn.trio
import msgspec
import trio
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from booper.simulators.faults import Script

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from booper.simulators.faults import Faults
    from booper.simulators.ledger import Ledger

PAGE_LIMIT = 10_000
_BODY_LIMIT = 1024 * 1024


class Greeting(msgspec.Struct, frozen=True):
    """What `GET /` says."""

    name: str
    routes: dict[str, str]


class Page(msgspec.Struct, frozen=True):
    """Some entries of the ledger; go on with `after=next`, an empty page is the end so far."""

    entries: list[dict[str, str | float]]
    next: int


class Scripts(msgspec.Struct, frozen=True):
    """The fault scripts in force."""

    scripts: list[Script]


class Problem(msgspec.Struct, frozen=True):
    """What was wrong with a request (RFC 9457)."""

    title: str
    status: int
    detail: str = ""


_ROUTES = {
    "GET /": "what this is",
    "GET /ledger/summary": "accepted, distinct, duplicates, first and last time, refusals",
    "GET /ledger?after=0&limit=1000": "entries in order of acceptance; &device=X: of one device",
    "GET /faults": "the scripts in force",
    "POST /faults": 'one script or a list: {"fault": {"kind": "answer", "status": 503, "reason": '
    '"ServiceUnavailable"}, "device": null, "times": 5}',
    "DELETE /faults": "strike every script",
}


def control_app(name: str, ledger: Ledger, faults: Faults) -> QuartTrio:
    """The remote control of one simulator. Bad input is answered with 4xx and changes nothing."""
    app = QuartTrio(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _BODY_LIMIT

    @app.get("/")
    async def greeting() -> Response:
        return _json(Greeting(name, _ROUTES))

    @app.get("/ledger/summary")
    async def summary() -> Response:
        return _json(ledger.summary())

    @app.get("/ledger")
    async def page() -> Response:
        try:
            after = _number("after", 0, 2**53)
            limit = _number("limit", 1000, PAGE_LIMIT)
        except msgspec.ValidationError as error:
            return _json(Problem("Bad query", 400, str(error)))
        if device := request.args.get("device"):
            entries = ledger.of_device(device, after, limit)
        else:
            entries = ledger.page(after, limit)
        return _json(Page([entry._asdict() for entry in entries], after + len(entries)))

    @app.get("/faults")
    async def scripts() -> Response:
        return _json(Scripts(list(faults)))

    @app.post("/faults")
    async def script() -> Response:
        try:
            found = msgspec.json.decode(await request.get_data(), type=Script | list[Script])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _json(Problem("Bad script", 400, str(error)))
        for one in found if isinstance(found, list) else [found]:
            faults.add(one)
        return _json(Scripts(list(faults)), 201)

    @app.delete("/faults")
    async def strike() -> Response:
        faults.clear()
        return _json(Scripts([]))

    @app.errorhandler(HTTPException)
    async def problem(error: HTTPException) -> Response:
        return _json(Problem(error.name, error.code or 500, error.description or ""))

    return app


async def serve_control(
    app: QuartTrio, port: int = 0, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve `app` on 127.0.0.1 until cancelled; gives its URL. OSError if the port is taken."""
    listener = socket.create_server(("127.0.0.1", port))  # hypercorn's own would leak if taken
    own_port = listener.getsockname()[1]
    config = hypercorn.config.Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 1.0
    config.errorlog = logging.getLogger("booper.simulators.control")
    async with trio.open_nursery() as nursery:
        serve: Callable[..., Awaitable[None]] = hypercorn.trio.serve
        await nursery.start(serve, app, config)
        task_status.started(f"http://127.0.0.1:{own_port}")


def _number(name: str, default: int, greatest: int) -> int:
    """A whole number from the query, between 0 and `greatest`. Raises ValidationError."""
    text = request.args.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= greatest:
        return int(text)
    raise msgspec.ValidationError(f"{name} must be a whole number from 0 to {greatest}")


def _json(value: msgspec.Struct, status: int = 200) -> Response:
    """`value` as JSON; a Problem with its own status and media type."""
    kind = "application/json"
    if isinstance(value, Problem):
        kind, status = "application/problem+json", value.status
    return Response(msgspec.json.encode(value), status, content_type=kind)
