"""Any bytes at all: the engine answers, ends the connection, or waits; it never raises or leaks."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from booper.http2 import Client, Server, answer_block, frames
from tests.booper.http2.strangers import submit

STREAMS = st.sampled_from([0, 1, 1, 3, 5, 2, 99, 2**31 - 1, 2**31 + 1])
BLOCKS = st.sampled_from(
    [b"\x88", b"\x8d", b"\x20\x88", answer_block(410, ((b"a", b"b"),)), b"\x48\x03200", b""]
)
PAYLOADS = (
    st.binary(max_size=40) | BLOCKS | st.integers(0, 2**32 - 1).map(lambda n: n.to_bytes(4, "big"))
)
FRAMES = st.builds(
    frames.frame,
    st.integers(0, 10),
    st.integers(0, 255) | st.sampled_from([0, 1, 4, 5]),
    STREAMS,
    PAYLOADS,
)
JUNK = st.lists(FRAMES | st.binary(max_size=30), max_size=25).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(JUNK, st.lists(st.integers(1, 60), max_size=20), st.booleans(), st.booleans())
def test_a_client_survives_any_server(
    junk: bytes, cuts: list[int], stateless: bool, greeted: bool
) -> None:
    client = Client(stateless=stateless)
    if greeted:
        client.receive(frames.settings({3: 10}) + frames.ACK_SETTINGS)
    batch = submit(client, 4 if greeted else 0)
    finished = []
    for size in [*cuts, len(junk)]:
        piece, junk = junk[:size], junk[size:]
        finished += client.receive(piece)
        client.take()
    finished += client.lost_all("closed")
    assert finished == ([batch] if greeted else [])
    assert batch.left == client.open_streams == 0
    assert None not in batch.answers
    for answer in batch.answers:
        assert getattr(answer, "fields", ()) is not None


@settings(max_examples=300, deadline=None)
@given(JUNK, st.lists(st.integers(1, 60), max_size=20))
def test_a_server_survives_any_client(junk: bytes, cuts: list[int]) -> None:
    server = Server(streams=5)
    server.receive(frames.PREFACE + frames.settings({}) + frames.ACK_SETTINGS)
    for size in [*cuts, len(junk)]:
        piece, junk = junk[:size], junk[size:]
        for stream, *_ in server.receive(piece):
            server.respond(stream, answer_block(200), b"body")
        server.take()
    assert server.failure is not None or server.open_streams <= 5


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_bent_conversation_is_accounted_for(data: st.DataObject) -> None:
    """Sound traffic with some bytes changed: every request still ends, once."""
    client, server = Client(), Server()
    client.receive(server.take())
    batch = submit(client, 20)
    requests = server.receive(client.take())
    server.respond_many(
        (stream, answer_block(200, ((b"apns-id", head.header(b"apns-id", values) or b""),)), b"")
        for stream, _, head, values, _ in requests
    )
    wire = bytearray(server.take())
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    client.receive(bytes(wire))
    client.lost_all("closed")
    assert len(batch.answers) == 20
    assert batch.left == 0
    assert client.open_streams == 0
