"""A line over a real socket pair, with the other end worked by hand."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
import trio

from booper.transport import tls
from booper.transport.line import LineClosed, TlsLine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.booper.transport.certificates import Authority

pytestmark = pytest.mark.real


class Ends:
    """A line, and the peer's socket and TLS."""

    def __init__(self, authority: Authority) -> None:
        near, self.far = socket.socketpair()
        client = tls.Tls(tls.context(authority.file), "localhost")
        self.tls = tls.Tls(authority.server(), None)
        said, done = b"", False
        while not done:
            done = client.handshake(said)
            self.tls.handshake(client.outgoing())
            said = self.tls.outgoing()
        assert client.decrypt(said) == b""
        self.line = TlsLine(near, client)

    def say(self, data: bytes) -> None:
        self.far.sendall(self.tls.encrypt(data))


@pytest.fixture
def ends(authority: Authority) -> Iterator[Ends]:
    made = Ends(authority)
    yield made
    made.far.close()
    made.line._sock.close()


async def test_what_arrived_is_read_and_nothing_is_nothing(ends: Ends) -> None:
    assert ends.line.read() == b""
    ends.say(b"hello")
    await ends.line.readable()
    assert ends.line.read() == b"hello"


async def test_a_record_in_pieces_is_nothing_until_it_is_whole(ends: Ends) -> None:
    record = ends.tls.encrypt(b"hello")
    for at in range(len(record) - 1):
        ends.far.sendall(record[at : at + 1])
        await ends.line.readable()
        assert ends.line.read() == b""
    ends.far.sendall(record[-1:])
    await ends.line.readable()
    assert ends.line.read() == b"hello"


async def test_what_the_system_does_not_take_waits_in_order(ends: Ends) -> None:
    sent = b"".join(i.to_bytes(4, "big") for i in range(1_000_000))
    for at in range(0, len(sent), 500_000):
        ends.line.write(sent[at : at + 500_000])
    assert ends.line.backlog > 0
    heard = b""
    while len(heard) < len(sent):
        heard += ends.tls.decrypt(ends.far.recv(1 << 20))
        if ends.line.backlog:
            await ends.line.writable()
    assert heard == sent


async def test_the_end_comes_after_the_last_words(ends: Ends) -> None:
    ends.say(b"last")
    ends.far.close()
    await ends.line.readable()
    assert ends.line.read() == b"last"
    await ends.line.readable()
    with pytest.raises(LineClosed, match="the peer closed"):
        ends.line.read()
    with pytest.raises(LineClosed):
        ends.line.write(b"too late")


async def test_closing_wakes_who_waits_and_may_be_repeated(ends: Ends) -> None:
    await ends.line.readable()  # the first never waits: words may have come with the handshake
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await ends.line.readable()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        ends.line.close()
        ends.line.close()
