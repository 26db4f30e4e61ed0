"""TLS in front of a third party's server that speaks plain HTTP only, on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    import ssl

_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


async def tls_front(
    context: ssl.SSLContext,
    behind: int,
    *,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Pass every connection on to the port `behind` until cancelled; gives the own port."""

    async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            inner = await trio.open_tcp_stream("127.0.0.1", behind)
            async with stream, inner, trio.open_nursery() as nursery:
                nursery.start_soon(_copy, stream, inner, nursery.cancel_scope)
                nursery.start_soon(_copy, inner, stream, nursery.cancel_scope)
        except* _GONE:
            pass

    plain = await trio.open_tcp_listeners(0, host="127.0.0.1")
    listeners = [trio.SSLListener(one, context, https_compatible=True) for one in plain]
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, serve, listeners)
        task_status.started(plain[0].socket.getsockname()[1])


async def _copy(source: trio.abc.Stream, sink: trio.abc.Stream, scope: trio.CancelScope) -> None:
    try:
        while data := await source.receive_some():
            await sink.send_all(data)
    except _GONE:
        pass
    scope.cancel()
