"""Load: the same HTTP/1.1 request again and again, on connections that are kept open.

As little work as can be, so that what is measured is the server: bytes that were put together
once, on plain sockets.
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
import trio

from booper.bench.meter import Meter

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
PATIENCE = 60.0  # seconds for one answer


class Loaded(NamedTuple):
    """What came of it: `latencies` in seconds, the last answer's body, `cpu` seconds of the server;
    `good`: how often the mark stood in all the answers."""

    seconds: float
    cpu: float
    latencies: list[float]
    good: int
    last: bytes


def post(url: str, path: str, body: object, **headers: str) -> bytes:
    """A request as bytes; the body as JSON."""
    data = msgspec.json.encode(body)
    head = [f"POST {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}"]
    head += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, "", ""]).encode() + data


async def load(
    url: str, pid: int, request: bytes, count: int, connections: int, mark: bytes
) -> Loaded:
    """Send it `count` times, one at a time on each connection."""
    place = urlsplit(url)
    numbers = iter(range(count))
    latencies: list[float] = []
    good, last = 0, b""

    async def one(stream: trio.SocketStream) -> None:
        nonlocal good, last
        for _ in numbers:
            begun = perf_counter()
            with trio.fail_after(PATIENCE):
                await stream.send_all(request)
                answer = await _answer(stream)
            latencies.append(perf_counter() - begun)
            good += answer.count(mark)
            last = answer.partition(b"\r\n\r\n")[2]

    streams = [
        await trio.open_tcp_stream(place.hostname or "", place.port or 0)
        for _ in range(min(connections, count))
    ]
    meter = Meter(pid)
    async with trio.open_nursery() as nursery:
        for stream in streams:
            nursery.start_soon(one, stream)
    meter.stop()
    for stream in streams:
        await stream.aclose()
    return Loaded(meter.seconds, meter.server_cpu or 0.0, latencies, good, last)


async def _answer(stream: trio.SocketStream) -> bytes:
    """One whole answer, which says its length."""
    data = bytearray()
    while (end := data.find(b"\r\n\r\n")) < 0:
        await _more(stream, data)
    found = _LENGTH.search(data, 0, end)
    if found is None:
        raise RuntimeError(f"an answer without a length: {bytes(data[:end])!r}")
    whole = end + 4 + int(found[1])
    while len(data) < whole:
        await _more(stream, data)
    return bytes(data)


async def _more(stream: trio.SocketStream, data: bytearray) -> None:
    part = await stream.receive_some(65_536)
    if not part:
        raise RuntimeError("the server hung up")
    data += part
