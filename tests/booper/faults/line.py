"""One client's line to a node: HTTP/1.1 with nothing between the test and the socket.

An HTTP library costs more than what it measures here, and hides what a dying node did to it.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import trio

TIMEOUT = 10.0


class Gone(Exception):
    """There was no answer, or only a part of one."""


class Answer(NamedTuple):
    """Header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Line:
    """A connection that is made when needed and kept while it lasts."""

    def __init__(self) -> None:
        self._stream: trio.SocketStream | None = None
        self._place = ""

    async def aclose(self) -> None:
        if self._stream is not None:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(self._stream)
        self._stream = None

    async def post(self, url: str, path: str, body: object, **headers: str) -> Answer:
        """What the node at `url` answers; Gone where it does not, within TIMEOUT."""
        try:
            with trio.fail_after(TIMEOUT):
                if self._stream is None or self._place != url:
                    await self.aclose()
                    host = urlsplit(url)
                    self._stream = await trio.open_tcp_stream(str(host.hostname), host.port or 0)
                    self._place = url
                await self._stream.send_all(request(url, path, body, **headers))
                answer = await _answer(self._stream)
        except (OSError, trio.BrokenResourceError, trio.TooSlowError, Gone) as error:
            await self.aclose()
            raise Gone(str(error)) from None
        if answer.headers.get("connection") == "close":
            await self.aclose()
        return answer


def request(url: str, path: str, body: object, **headers: str) -> bytes:
    """A POST of JSON, as bytes."""
    content = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode() + content


async def _answer(stream: trio.SocketStream) -> Answer:
    data = b""
    while b"\r\n\r\n" not in data:
        data += await _more(stream)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    while len(body) < int(headers["content-length"]):
        body += await _more(stream)
    return Answer(int(first.split()[1]), headers, body)


async def _more(stream: trio.SocketStream) -> bytes:
    part = bytes(await stream.receive_some())
    if not part:
        raise Gone("it hung up")
    return part
