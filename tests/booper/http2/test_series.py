"""Long runs of requests that are alike, what breaks into them, and Huffman-coded values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given
from hypothesis import strategies as st

from booper.http2 import Batch, Client, ErrorCode, Request, Server, frames
from booper.wire import Reply
from tests.booper.http2.strangers import TEMPLATE

if TYPE_CHECKING:
    from booper.wire import Stamp

LEAD = b"\x88\x00\x07apns-id\x03"
huffman = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


def met(client: Client, server: Server) -> None:
    """Both have seen each other's SETTINGS."""
    for _ in range(3):
        server.receive(client.take())
        client.receive(server.take())


@given(
    st.lists(st.tuples(st.sampled_from([1, 1, 1, 1, 2]), st.sampled_from([9, 9, 9, 9, 0, 8]))),
    st.lists(st.integers(1, 400), max_size=12),
)
def test_whatever_breaks_into_a_series_every_request_comes_as_it_was(
    kinds: list[tuple[int, int]], cuts: list[int]
) -> None:
    client, server = Client(), Server()
    met(client, server)
    stamps: list[Stamp] = [
        (b"%03d" % number * width, (b"%09d" % number,), b"%0*d" % (size, number) if size else b"")
        for number, (width, size) in enumerate(kinds)
    ]
    batch = Batch(len(stamps))
    assert client.submit(TEMPLATE, stamps, 0, len(stamps), batch) == len(stamps)
    data = client.take()
    requests: list[Request] = []
    for cut in cuts:
        requests += server.receive(data[:cut])
        data = data[cut:]
    requests += server.receive(data)
    assert server.failure is None
    found = [
        (path, head.header(b"apns-id", values), head.header(b"apns-topic", values), body)
        for _, path, head, values, body in requests
    ]
    assert found == [
        (b"/3/device/" + path, value, b"org.example", body) for path, (value,), body in stamps
    ]
    assert [request[0] for request in requests] == list(range(1, 2 * len(stamps), 2))
    assert server.open_streams == len(stamps)


def test_a_stream_left_out_and_a_stream_twice_are_noticed_within_a_series() -> None:
    client, server = Client(), Server()
    met(client, server)
    stamps: list[Stamp] = [(b"%03d" % n, (b"%03d" % n,), b"body") for n in range(40)]
    client.submit(TEMPLATE, stamps, 0, 20, Batch(40))
    assert len(server.receive(client.take())) == 20
    client.submit(TEMPLATE, stamps, 0, 20, Batch(40))
    data = client.take()
    size = len(data) // 20
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    del pieces[5]  # leaving a number out is legal
    assert len(server.receive(b"".join(pieces[:15]))) == 15
    assert server.failure is None
    assert not server.receive(pieces[14]), "the same request never comes twice"


def test_a_series_never_takes_more_than_the_streams_allowed() -> None:
    client, server = Client(), Server(streams=100)
    met(client, server)
    stamps: list[Stamp] = [(b"%03d" % n, (b"%03d" % n,), b"body") for n in range(100)]
    client.submit(TEMPLATE, stamps, 0, 100, Batch(100))
    first = client.take()
    assert len(server.receive(first)) == 100
    stream = (201).to_bytes(4, "big")
    one = first[-len(first) // 101 :]
    one = one[one.index(b"\x01\x04\0\0") - 3 :]
    more = one.replace((199).to_bytes(4, "big"), stream)
    assert not server.receive(more)
    assert server.failure is None
    refused = frames.rst_stream(201, ErrorCode.REFUSED_STREAM)
    assert refused in server.take()


def test_answers_alike_reach_those_who_are_still_there() -> None:
    client, server = Client(), Server()
    met(client, server)
    stamps: list[Stamp] = [(b"%03d" % n, (b"%03d" % n,), b"body") for n in range(30)]
    batch, other = Batch(30), Batch(30)
    client.submit(TEMPLATE, stamps, 0, 30, batch)
    client.submit(TEMPLATE, stamps, 0, 30, other)
    requests = server.receive(client.take())
    client.cancel(other)
    server.receive(client.take())
    streams = [request[0] for request in requests]
    ids = [head.header(b"apns-id", values) or b"" for _, _, head, values, _ in requests]
    assert server.respond_alike(streams, LEAD, ids) == 30
    assert client.receive(server.take()) == [batch]
    for number, answer in enumerate(batch.answers):
        assert isinstance(answer, Reply)
        assert answer.status == 200
        assert answer.header(b"apns-id") == b"%03d" % number
    assert server.respond_alike([], LEAD, []) == 0
    assert server.open_streams == 0


def test_answers_that_are_not_alike_are_answers_nevertheless() -> None:
    client, server = Client(), Server()
    met(client, server)
    stamps: list[Stamp] = [(b"%03d" % n, (b"%03d" % n,), b"body") for n in range(3)]
    batch = Batch(3)
    client.submit(TEMPLATE, stamps, 0, 3, batch)
    server.receive(client.take())
    lead = LEAD[:-1]
    assert server.respond_alike([1, 3, 5], lead, [b"\x011", b"\x0222", b"\x03333"]) == 3
    client.receive(server.take())
    ids = [answer.header(b"apns-id") for answer in batch.answers if isinstance(answer, Reply)]
    assert ids == [b"1", b"22", b"333"]


def coded(text: bytes) -> bytes:
    value = huffman.encode(text)
    return bytes((0x80 | len(value),)) + value


def ask(stream: int, path: bytes, extra: bytes = b"") -> bytes:
    """POST https with a Huffman-coded path, out of every table, as nghttp2 sends it."""
    block = b"\x83\x87\x04" + path + b"\x00\x05topic\x01t" + extra
    return frames.headers(stream, block, end=True, largest=16_384)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=30))
def test_a_coded_path_is_read_whatever_its_length_and_shares_its_head(paths: list[bytes]) -> None:
    server = Server()
    server.receive(frames.PREFACE + frames.settings({}))
    data = b"".join(ask(2 * n + 1, coded(b"/" + path)) for n, path in enumerate(paths))
    requests = server.receive(data)
    assert [request[1] for request in requests] == [b"/" + path for path in paths]
    by_length = {len(request[1]): request[2] for request in requests}
    heads = {id(request[2]) for request in requests}
    assert len(heads) <= len(by_length) + 1
    assert all(head.header(b"topic", values) == b"t" for _, _, head, values, _ in requests)


def test_one_head_for_coded_paths_of_every_length() -> None:
    server = Server()
    server.receive(frames.PREFACE + frames.settings({}))
    paths = [coded(b"/" + b"a" * length) for length in range(1, 30)] * 2
    requests = server.receive(b"".join(ask(2 * n + 1, path) for n, path in enumerate(paths)))
    assert len({id(request[2]) for request in requests}) == 1


def test_two_coded_values_are_still_read_right() -> None:
    server = Server()
    server.receive(frames.PREFACE + frames.settings({}))
    texts = [(b"/a0", b"00aa"), (b"/zz", b"aa"), (b"/a0", b"aaaa"), (b"/00", b"zzz")] * 3
    data = b"".join(
        ask(2 * n + 1, coded(path), b"\x00\x02id" + coded(value))
        for n, (path, value) in enumerate(texts)
    )
    found = [(r[1], r[2].header(b"id", r[3])) for r in server.receive(data)]
    assert found == texts


@pytest.mark.parametrize("raw", [b"\x00", b"\xff\xff\xff\xff"])
def test_what_is_no_huffman_code_ends_the_connection_also_in_a_known_shape(raw: bytes) -> None:
    server = Server()
    server.receive(frames.PREFACE + frames.settings({}))
    good = coded(b"/" + b"0" * (len(raw) * 8 // 5 - 1))
    assert len(good) == len(raw) + 1
    assert len(server.receive(ask(1, good) + ask(3, good))) == 2
    assert not server.receive(ask(5, bytes((good[0],)) + raw))
    assert server.failure is not None
    assert server.failure.code == ErrorCode.COMPRESSION_ERROR
