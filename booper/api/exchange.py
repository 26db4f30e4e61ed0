"""Exchange: one request and its answer, in one task where that is enough.

quart-trio gives every request a nursery of two tasks, one of which only waits for the client to
leave. Nearly all requests have arrived whole when they are looked at and are answered at once: they
need neither, and are seen through though their client leaves. What has not arrived by then, and so
may take long, goes quart-trio's way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from quart.utils import encode_headers
from quart.wrappers import Response
from quart.wrappers.response import DataBody

from booper.api.server import ShieldedConnection
from booper.precedence import precedence

if TYPE_CHECKING:
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
    from quart.typing import ResponseTypes
    from quart.wrappers import Request

PROMPT = 0.1  # seconds in which the rest of a request on its way arrives


class Exchange(ShieldedConnection):
    """How Booper's app answers a request."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        request = self._create_request_from_scope(send)
        # It is in every frame below, and whoever shows a crash with its locals would show it.
        self.scope["headers"] = []
        whole: bool | None = None
        with trio.move_on_after(PROMPT):
            whole = await _filled(request, receive)
        if whole:
            with precedence().light():
                await self._send_response(send, await self.app.handle_request(request))
        elif whole is None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.handle_messages, nursery, request, receive)
                nursery.start_soon(self.handle_request, nursery, request, send)

    async def _send_response(self, send: ASGISendCallable, response: ResponseTypes) -> None:
        """A body that is there goes out in one piece, with the end of the answer."""
        if not isinstance(response, Response) or not isinstance(response.response, DataBody):
            await super()._send_response(send, response)
            return
        headers = encode_headers(response.headers)
        await send(
            {"type": "http.response.start", "status": response.status_code, "headers": headers}
        )
        async with response.response as parts:
            body = b"".join([part async for part in parts])
        await send({"type": "http.response.body", "body": body, "more_body": False})


async def _filled(request: Request, receive: ASGIReceiveCallable) -> bool:
    """Wait for the whole request: True; False: its client has left."""
    while (message := await receive())["type"] == "http.request":
        request.body.append(message.get("body", b""))
        if not message.get("more_body", False):
            request.body.set_complete()
            return True
    return False
