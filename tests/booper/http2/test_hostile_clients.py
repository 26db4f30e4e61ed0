"""Clients that mean harm to the server's end: the simulators must outlive them too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from booper.http2 import ErrorCode, Limits, Server, answer_block, frames
from booper.http2.frames import frame, headers, ping, rst_stream, settings, window_update
from booper.http2.hpack.encoder import Encoder

if TYPE_CHECKING:
    from booper.wire import Header

FIELDS: list[Header] = [
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":authority", b"h"),
    (b":path", b"/"),
]


def ask(stream: int, *, end: bool = True, what: bytes | None = None) -> bytes:
    return headers(stream, what or answer_style(FIELDS), end=end, largest=16_384)


def answer_style(fields: list[Header]) -> bytes:
    """A block that touches no table, so that it may be sent again and again."""
    return answer_block(200, fields)[1:]


def fresh(streams: int = 100, **limits: int) -> Server:
    server = Server(Limits(**limits), streams=streams)
    server.receive(frames.PREFACE + settings({}) + frames.ACK_SETTINGS)
    server.take()
    return server


BROKEN = {
    "even-stream": (ask(2), "PROTOCOL_ERROR"),
    "stream-0": (ask(0), "PROTOCOL_ERROR"),
    "id-backwards": (ask(5) + ask(3), "STREAM_CLOSED"),
    "id-twice": (ask(1) + ask(1), "STREAM_CLOSED"),
    "idle-data": (frame(0, 0, 1, b"x"), "PROTOCOL_ERROR"),
    "idle-window": (window_update(1, 1), "PROTOCOL_ERROR"),
    "data-after-end": (ask(1) + frame(0, 0, 1, b"x"), "STREAM_CLOSED"),
    "push": (frame(5, 4, 1, bytes(8)), "PROTOCOL_ERROR"),
    "push-setting": (settings({2: 2}), "PROTOCOL_ERROR"),
    "window-overflow": (window_update(0, 2**31 - 1), "FLOW_CONTROL_ERROR"),
    "bad-hpack": (ask(1, what=b"\xff\xff\xff\xff\xff\xff"), "COMPRESSION_ERROR"),
    "left-open": (frame(1, 0, 1, b"\x82") + ping(bytes(8)), "PROTOCOL_ERROR"),
    "long-frame": (b"\x01\0\0", "FRAME_SIZE_ERROR"),
}


@pytest.mark.parametrize(("attack", "code"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_ends_the_connection(attack: bytes, code: str) -> None:
    server = fresh()
    assert server.receive(attack) == []
    assert server.failure is not None
    assert (server.failure.code, server.failure.fault) == (ErrorCode[code], "peer")
    assert server.open_streams == 0
    assert server.take()[-4 - len(server.failure.detail) :][:4] == bytes((0, 0, 0, ErrorCode[code]))


@pytest.mark.parametrize("greeting", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"PRI * HTTP/1"])
def test_whoever_is_not_http2_is_told_at_once(greeting: bytes) -> None:
    server = Server()
    server.receive(greeting)
    assert server.failure is not None
    assert server.failure.code is ErrorCode.PROTOCOL_ERROR


MALFORMED: dict[str, list[Header]] = {
    "no-method": FIELDS[1:],
    "no-scheme": [FIELDS[0], *FIELDS[2:]],
    "no-path": FIELDS[:3],
    "empty-path": [*FIELDS[:3], (b":path", b"")],
    "method-twice": [FIELDS[0], *FIELDS],
    "status": [(b":status", b"200"), *FIELDS],
    "unknown-pseudo": [(b":what", b""), *FIELDS],
    "pseudo-late": [*FIELDS[:3], (b"a", b"b"), FIELDS[3]],
    "upper-case": [*FIELDS, (b"A", b"b")],
    "connection": [*FIELDS, (b"connection", b"close")],
    "line-break": [*FIELDS, (b"a", b"b\r\nc: d")],
    "too-many": [*FIELDS, *[(b"a%d" % n, bytes(100)) for n in range(700)]],
}


@pytest.mark.parametrize("fields", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_ends_its_stream_only(fields: list[Header]) -> None:
    server = fresh(header_block=10**6)
    assert server.receive(ask(1, what=answer_style(fields))) == []
    assert server.failure is None
    assert server.take()[3:9] == b"\x03\0\0\0\0\x01"
    [(stream, path, *_)] = server.receive(ask(3))
    assert (stream, path) == (3, b"/")


def test_rapid_resets_are_noticed() -> None:
    server = fresh()
    stream = 1
    while server.failure is None:
        assert server.receive(ask(stream) + rst_stream(stream, 8)) == []
        server.take()
        stream += 2
    assert server.failure.code is ErrorCode.ENHANCE_YOUR_CALM
    assert 500 < stream // 2 < 2100


def test_streams_beyond_the_limit_are_refused_then_punished() -> None:
    server = fresh(streams=10)
    requests = server.receive(b"".join(ask(s) for s in range(1, 101, 2)))
    assert [stream for stream, *_ in requests] == list(range(1, 20, 2))
    assert server.take().count(b"\x03\0") == 40
    assert server.open_streams == 10
    stream = 101
    while server.failure is None:
        server.receive(ask(stream))
        server.take()
        stream += 2
    assert server.failure.code is ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("flood", [ping(bytes(8)), settings({3: 1}), frames.goaway(0, 0)])
def test_floods_end(flood: bytes) -> None:
    server = fresh()
    for _ in range(3000):
        server.receive(flood)
        server.take()
    assert server.failure is not None
    assert server.failure.code is ErrorCode.ENHANCE_YOUR_CALM


def test_a_client_that_never_reads_is_not_answered_without_end() -> None:
    server = fresh()
    server.receive(ask(1))
    assert server.respond(1, answer_block(200), bytes(10**6))
    assert len(server.take()) < 66_000
    server.receive(rst_stream(1, 8))
    assert server.open_streams == 0
    server.receive(window_update(0, 10**6))
    assert server.take() == b""


def test_after_goaway_new_streams_are_ignored_and_old_ones_served() -> None:
    server = fresh()
    server.receive(ask(1))
    server.goaway()
    assert server.receive(ask(3) + frame(0, 1, 5, b"")) == []
    assert server.failure is not None  # stream 5 was never opened
    server = fresh()
    server.receive(ask(1))
    server.goaway()
    assert server.receive(ask(3, end=False) + frame(0, 1, 3, b"body")) == []
    assert server.failure is None
    assert server.respond(1, answer_block(200))


def test_the_first_request_teaches_the_shape_of_the_next() -> None:
    server = fresh()
    for number, stream in enumerate(range(1, 20, 2)):
        fields = [*FIELDS[:3], (b":path", b"/%d" % number), (b"id", b"%d" % (9 - number))]
        body = frame(0, 1, stream, b"body%d" % number)
        [request] = server.receive(ask(stream, end=False, what=answer_style(fields)) + body)
        _, path, head, values, got = request
        assert (path, got) == (b"/%d" % number, b"body%d" % number)
        assert head.header(b"id", values) == b"%d" % (9 - number)
        assert head.header(b":path", values) is None


def test_a_shape_dies_with_the_table_it_was_learned_from() -> None:
    encoder, server = Encoder(), fresh()
    varying = answer_style([(b"id", b"77")])

    def exchange(stream: int, constant: list[Header]) -> bytes | None:
        what = encoder.encode(constant) + varying
        body = frame(0, 1, stream, b"body")
        [(_, _, head, values, _)] = server.receive(ask(stream, end=False, what=what) + body)
        return head.header(b"topic", values)

    for turn, topic in enumerate([b"a", b"a", b"a", b"b", b"b", b"a", b"b"]):
        assert exchange(2 * turn + 1, [*FIELDS, (b"topic", topic)]) == topic
