"""Servers that mean harm, or cannot count: the connection ends, bounded, with the right blame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from booper.http2 import Batch, Client, ErrorCode, Limits, frames
from booper.http2.frames import frame, headers, ping, rst_stream, settings, window_update
from booper.http2.hpack.encoder import answer_block
from booper.wire import Lost, Reply
from tests.booper.http2.strangers import submit

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = settings({3: 100})
OK = answer_block(200, ((b"x", b"y"),))


def fresh(open_streams: int = 2, **limits: int) -> tuple[Client, Batch]:
    """A client with requests under way, both SETTINGS acknowledged."""
    client = Client(Limits(**limits))
    client.receive(SETTINGS + frames.ACK_SETTINGS)
    batch = submit(client, open_streams)
    client.take()
    return client, batch


def head(stream: int, *, end: bool = False, block: bytes = OK) -> bytes:
    return headers(stream, block, end=end, largest=16_384)


def data(stream: int, body: bytes, flags: int = 0) -> bytes:
    return frame(frames.DATA, flags, stream, body)


CONTINUED = frame(frames.HEADERS, 0, 1, OK)
MANY = frame(frames.SETTINGS, 0, 0, b"\0\x04\0\0\0\x01" * 2000)
BROKEN = {
    "http/1": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "FRAME_SIZE_ERROR"),
    "data-on-0": (data(0, b"x"), "PROTOCOL_ERROR"),
    "headers-on-0": (head(0), "PROTOCOL_ERROR"),
    "reset-on-0": (rst_stream(0, 1), "PROTOCOL_ERROR"),
    "settings-on-1": (frame(frames.SETTINGS, 0, 1, b""), "PROTOCOL_ERROR"),
    "ping-on-1": (frame(frames.PING, 0, 1, bytes(8)), "PROTOCOL_ERROR"),
    "goaway-on-1": (frame(frames.GOAWAY, 0, 1, bytes(8)), "PROTOCOL_ERROR"),
    "idle-headers": (head(99), "PROTOCOL_ERROR"),
    "idle-data": (data(99, b"x"), "PROTOCOL_ERROR"),
    "idle-reset": (rst_stream(99, 1), "PROTOCOL_ERROR"),
    "idle-window": (window_update(99, 1), "PROTOCOL_ERROR"),
    "even-stream": (head(2), "PROTOCOL_ERROR"),
    "push": (frame(frames.PUSH_PROMISE, 4, 1, bytes(4) + OK), "PROTOCOL_ERROR"),
    "answer-twice": (head(1, end=True) * 2, "STREAM_CLOSED"),
    "data-after-end": (head(1, end=True) + data(1, b"x"), "STREAM_CLOSED"),
    "headers-after-reset": (rst_stream(1, 2) + head(1, end=True), "STREAM_CLOSED"),
    "interleaved": (CONTINUED + ping(bytes(8)), "PROTOCOL_ERROR"),
    "interleaved-answer": (CONTINUED + head(3, end=True), "PROTOCOL_ERROR"),
    "continues-other": (CONTINUED + frame(frames.CONTINUATION, 4, 3, b""), "PROTOCOL_ERROR"),
    "continues-nothing": (frame(frames.CONTINUATION, 4, 1, b""), "PROTOCOL_ERROR"),
    "frame-too-long": (bytes((0, 0x40, 1)), "FRAME_SIZE_ERROR"),
    "frame-far-too-long": (b"\xff\xff\xff\x01\x05\0\0\0\x01\x88", "FRAME_SIZE_ERROR"),
    "long-answer": (frame(1, 5, 1, b"\x88" * 16_385), "FRAME_SIZE_ERROR"),
    "short-ping": (frame(frames.PING, 0, 0, bytes(7)), "FRAME_SIZE_ERROR"),
    "short-reset": (frame(frames.RST_STREAM, 0, 1, bytes(3)), "FRAME_SIZE_ERROR"),
    "short-goaway": (frame(frames.GOAWAY, 0, 0, bytes(7)), "FRAME_SIZE_ERROR"),
    "short-window": (frame(frames.WINDOW_UPDATE, 0, 0, bytes(3)), "FRAME_SIZE_ERROR"),
    "short-settings": (frame(frames.SETTINGS, 0, 0, bytes(5)), "FRAME_SIZE_ERROR"),
    "full-ack": (frame(frames.SETTINGS, 1, 0, bytes(6)), "FRAME_SIZE_ERROR"),
    "short-priority": (frame(frames.PRIORITY, 0, 1, bytes(4)), "FRAME_SIZE_ERROR"),
    "short-prioritised": (frame(frames.HEADERS, 0x24, 1, bytes(4)), "FRAME_SIZE_ERROR"),
    "no-pad-length": (frame(frames.DATA, 8, 1, b""), "FRAME_SIZE_ERROR"),
    "pads-too-much": (head(1) + frame(frames.DATA, 8, 1, b"\x09abc"), "PROTOCOL_ERROR"),
    "window-by-0": (window_update(0, 0), "PROTOCOL_ERROR"),
    "window-overflow": (window_update(0, 2**31 - 1), "FLOW_CONTROL_ERROR"),
    "initial-window": (settings({4: 2**31}), "FLOW_CONTROL_ERROR"),
    "frame-size-small": (settings({5: 16_383}), "PROTOCOL_ERROR"),
    "frame-size-large": (settings({5: 2**24}), "PROTOCOL_ERROR"),
    "enables-push": (settings({2: 1}), "PROTOCOL_ERROR"),
    "bad-hpack": (head(1, block=b"\xbe"), "COMPRESSION_ERROR"),
    "no-table-now": (head(1, block=b"\x48\x03200\xbe"), "COMPRESSION_ERROR"),
}


@pytest.mark.parametrize(("attack", "code"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_ends_the_connection_and_accounts_for_everything(
    attack: bytes, code: str
) -> None:
    client, batch = fresh()
    finished = client.receive(attack)
    failure = client.failure
    assert failure is not None
    assert (failure.fault, failure.code) == ("peer", ErrorCode[code])
    assert finished == [batch]
    assert client.open_streams == client.room == 0
    goodbye = client.take()
    assert goodbye[3:5] == b"\x07\0"
    assert int.from_bytes(goodbye[13:17], "big") == ErrorCode[code]
    assert client.receive(SETTINGS) == []
    assert client.take() == b""


@pytest.mark.parametrize(
    "first", [ping(bytes(8)), head(1), frames.ACK_SETTINGS, window_update(0, 1)]
)
def test_the_first_frame_must_be_settings(first: bytes) -> None:
    client = Client()
    client.receive(first)
    assert client.failure is not None
    assert client.failure.code is ErrorCode.PROTOCOL_ERROR


MALFORMED = {
    "no-status": head(1, block=b"\x82"),
    "empty-block": head(1, block=b""),
    "two-status": head(1, block=b"\x89\x89"),
    "trailers-with-status": head(1) + head(1, end=True),
    "status-text": head(1, block=b"\x08\x03abc"),
    "status-99": head(1, block=b"\x08\x03099"),
    "switching": head(1, block=b"\x08\x03101"),
    "upper-case": head(1, block=b"\x89\x00\x01A\x01b"),
    "connection-field": head(1, block=b"\x89" + answer_block(200, ((b"upgrade", b"x"),))[1:]),
    "line-break": head(1, block=b"\x89\x00\x01a\x02\r\n"),
    "interim-that-ends": head(1, block=b"\x08\x03103", end=True),
    "body-first": data(1, b"x"),
    "headers-in-body": head(1) + head(1, block=b"\x00\x01a\x01b"),
    "window-by-0": window_update(1, 0),
    "header-bomb": head(1, block=b"\x89" + b"\x90" * 2000),
}


@pytest.mark.parametrize("attack", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_answer_ends_its_stream_only(attack: bytes) -> None:
    client, batch = fresh()
    assert client.receive(attack) == []
    assert client.failure is None
    lost = batch.answers[0]
    assert isinstance(lost, Lost)
    assert (lost.sent, lost.reason) == (True, "malformed")
    assert client.take()[3:9] == b"\x03\0\0\0\0\x01"
    assert client.receive(head(3, end=True)) == [batch]
    assert isinstance(batch.answers[1], Reply)


def test_an_overrun_stream_window_ends_the_stream() -> None:
    client, batch = fresh(body=10**6)
    client.receive(head(1) + data(1, bytes(16_000)) * 8)
    assert batch.left == 2
    client.receive(data(1, bytes(16_000)))
    assert isinstance(batch.answers[0], Lost)
    assert client.failure is None


def test_a_peer_that_ignores_our_reset_is_cut_off_before_it_floods_us() -> None:
    client, batch = fresh()
    client.cancel(batch)
    client.take()
    received = 0
    while client.failure is None:
        client.receive(data(1, bytes(1000)))
        received += 1000
    assert received < 140_000
    assert client.failure.code is ErrorCode.ENHANCE_YOUR_CALM


FLOODS = {
    "ping": ping(bytes(8)),
    "pong": ping(bytes(8), ack=True),
    "settings": SETTINGS,
    "settings-ack": frames.ACK_SETTINGS,
    "many-settings": MANY,
    "priority": frame(frames.PRIORITY, 0, 1, bytes(5)),
    "unknown": frame(0xBB, 0, 1, b"grease"),
    "empty-data": data(1, b""),
    "padding-only": frame(frames.DATA, 8, 1, b"\x20" + bytes(32)),
    "window": window_update(0, 1),
    "stream-window": window_update(1, 1),
    "interim": head(3, block=b"\x08\x03103"),
    "goaway": frames.goaway(2**31 - 1, 0),
    "reset": rst_stream(5, 8),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("reads", [True, False], ids=["read", "unread"])
def test_floods_are_borne_for_a_while_and_then_not(flood: bytes, reads: bool) -> None:
    client, batch = fresh(3)
    client.receive(head(1) + head(5, end=True))
    borne = 0
    while client.failure is None:
        client.receive(flood)
        if reads:
            client.take()
        borne += 1
    assert client.failure.code is ErrorCode.ENHANCE_YOUR_CALM
    assert 10 <= borne <= 2100
    assert len(client.take()) < 40_000
    assert batch.left == 0


def test_a_continuation_flood_is_bounded_in_frames_and_bytes() -> None:
    for piece in (b"", bytes(16_000)):
        client, _ = fresh()
        client.receive(CONTINUED)
        frame_count = 0
        while client.failure is None:
            client.receive(frame(frames.CONTINUATION, 0, 1, piece))
            frame_count += 1
        assert client.failure.code is ErrorCode.ENHANCE_YOUR_CALM
        assert frame_count <= 32


def test_noise_is_forgiven_for_work() -> None:
    client, _ = fresh(100)
    stream, turns = 1, iter(range(300))
    for _ in turns:  # 8 window updates for each request, for ever
        client.receive(window_update(0, 1) * 800)
        answers = b"".join(head(s, end=True) for s in range(stream, stream + 200, 2))
        client.receive(answers)
        stream += 200
        submit(client, 100)
        client.take()
    assert client.failure is None


def test_an_idle_connection_may_be_pinged_for_ever_if_it_answers_ours() -> None:
    client, _ = fresh()
    for _ in range(5000):
        client.receive(ping(bytes(8)))
        client.ping()
        client.receive(ping(bytes(8), ack=True))
        client.take()
    assert client.failure is None


def test_a_dripping_peer_costs_no_more_than_one_frame() -> None:
    client, batch = fresh()
    whole = head(1) + data(1, bytes(16_000), frames.END_STREAM) + head(3, end=True)
    for byte in slices(whole):
        finished = client.receive(byte)
    assert finished == [batch]
    assert all(isinstance(a, Reply) for a in batch.answers)


def slices(whole: bytes) -> Iterator[bytes]:
    for at in range(len(whole)):
        yield whole[at : at + 1]


def test_goaways_may_only_lower_the_limit() -> None:
    client, batch = fresh(5)
    client.receive(frames.goaway(2**31 - 1, 0))
    assert (client.draining, client.open_streams) == (True, 5)
    client.receive(frames.goaway(5, 0, '{"reason":"Shutdown"}'))
    assert client.open_streams == 3
    client.receive(frames.goaway(9, 0))
    assert client.goaway == (5, 0, b"")
    client.receive(b"".join(head(stream, end=True) for stream in (1, 3, 5)))
    assert [type(a) for a in batch.answers] == [Reply] * 3 + [Lost] * 2
    assert {a.sent for a in batch.answers if isinstance(a, Lost)} == {False}


def test_a_peer_that_denies_what_it_began_to_answer_is_not_believed() -> None:
    client, batch = fresh(3)
    client.receive(head(1) + head(5) + rst_stream(1, ErrorCode.REFUSED_STREAM))
    client.receive(frames.goaway(3, 0))
    assert [getattr(a, "sent", None) for a in batch.answers] == [True, None, True]
