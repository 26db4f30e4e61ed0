"""From a name to a line: TCP (by way of a proxy if there is one), TLS, ALPN."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from booper.transport import proxy, tls
from booper.transport.line import Line, TlsLine

if TYPE_CHECKING:
    from booper.wire import Endpoint

Dial = Callable[["Endpoint"], Awaitable[Line]]


class DialError(Exception):
    """No line could be had; the text says why, for a person, and holds no secret."""


async def dial(endpoint: Endpoint) -> Line:
    """A line to `endpoint`, ready for HTTP/2, within its `connect_timeout`.

    Raises DialError for whatever stands in the way: name, network, proxy, certificate, protocol.
    Cancellation closes what was opened.
    """
    try:
        with trio.fail_after(endpoint.connect_timeout):
            return await _dial(endpoint)
    except trio.TooSlowError:
        raise DialError(f"no connection within {endpoint.connect_timeout:g} s") from None
    except ssl.SSLError as error:
        raise DialError(tls.explain(error)) from error
    except (trio.BrokenResourceError, OSError) as error:
        raise DialError(str(error) or "the connection broke") from error
    except (proxy.ProxyError, UnicodeError) as error:
        raise DialError(str(error)) from error


async def _dial(endpoint: Endpoint) -> Line:
    session = tls.Tls(tls.context(endpoint.ca_file, endpoint.certificate), endpoint.host)
    if endpoint.proxy is None:
        stream = await trio.open_tcp_stream(endpoint.host, endpoint.port)
    else:
        stream = await _tunnel(endpoint, proxy.parse(endpoint.proxy.reveal()))
    try:
        await _handshake(stream, session)
        stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # From here on the line drives the bare socket itself.
        return TlsLine(socket.socket(fileno=stream.socket.detach()), session)
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise


async def _tunnel(endpoint: Endpoint, by: proxy.Proxy) -> trio.SocketStream:
    stream = await trio.open_tcp_stream(by.host, by.port)
    try:
        await stream.send_all(proxy.request(by, endpoint.host, endpoint.port))
        head = b""
        while not proxy.tunnelled(head):
            more = await stream.receive_some(4096)
            if not more:
                raise proxy.ProxyError("the proxy closed the connection")
            head += more
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


async def _handshake(stream: trio.SocketStream, session: tls.Tls) -> None:
    done = session.handshake()
    while True:
        say = session.outgoing()
        if say:
            await stream.send_all(say)
        if done:
            break
        heard = await stream.receive_some(65536)
        if not heard:
            raise DialError("the peer closed the connection during the TLS handshake")
        try:
            done = session.handshake(bytes(heard))
        except ssl.SSLError:
            with suppress(trio.BrokenResourceError), trio.move_on_after(1):
                await stream.send_all(session.outgoing())  # the alert tells the peer why
            raise
    if session.protocol != "h2":
        raise DialError("the peer does not speak HTTP/2 (ALPN offered h2, it chose otherwise)")
