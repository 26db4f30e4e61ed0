"""Late frames, forgotten streams, and other rarities of a long life."""

from __future__ import annotations

import pytest

from booper.http2 import (
    Batch,
    Client,
    ErrorCode,
    Limits,
    ProtocolError,
    Server,
    answer_block,
    frames,
)
from booper.http2.departed import Departed
from booper.http2.errors import code_name
from booper.http2.frames import frame, headers, settings, window_update
from booper.wire import Lost, Reply, Template
from tests.booper.http2.strangers import StrangeServer, meet, submit
from tests.booper.http2.test_hostile_clients import answer_style, ask
from tests.booper.http2.test_hostile_clients import fresh as fresh_server


def test_the_latest_streams_are_remembered_exactly_the_others_forgiven() -> None:
    departed = Departed(keep=2, window=1000)
    for stream in (1, 3, 5):
        departed.add(stream)
    assert len(departed) == 2
    assert departed.meet(5, 100, end=False)
    assert not departed.meet(1, 10**9, end=False)  # long ago: we do not know
    with pytest.raises(ProtocolError) as caught:
        departed.meet(5, 900, end=False)  # 100 and its overhead are spent
    assert caught.value.code is ErrorCode.ENHANCE_YOUR_CALM
    assert departed.meet(3, 100, end=True)
    with pytest.raises(ProtocolError) as caught:
        departed.meet(7, 1, end=False)
    assert caught.value.code is ErrorCode.STREAM_CLOSED


def test_late_frames_of_forgotten_streams_are_borne() -> None:
    client = Client(Limits(remembered=1))
    client.receive(settings({3: 100}) + frames.ACK_SETTINGS)
    client.cancel(submit(client, 3))
    batch = submit(client, 1)
    client.receive(headers(1, b"\x88", end=False, largest=16_384) + frame(0, 1, 1, b"late"))
    assert client.receive(headers(7, b"\x88", end=True, largest=16_384)) == [batch]
    assert client.failure is None


@pytest.mark.parametrize("long", [b"", b"x" * 70_000], ids=["short", "bomb"])
def test_a_block_nobody_wants_still_fills_the_table(long: bytes) -> None:
    client, server = (
        Client(Limits(header_block=10**6, fragments=100), stateless=False),
        StrangeServer(),
    )
    meet(client, server)
    unwanted, wanted = submit(client, 1), submit(client, 1)
    meet(client, server)
    server.answer(1, fields=((b"x-shared", b"value"), (b"x-long", long)))
    server.answer(3, fields=((b"x-shared", b"value"),))  # an index into the table, now
    client.cancel(unwanted)
    assert client.receive(server.say()) == [wanted]
    answer = wanted.answers[0]
    assert isinstance(answer, Reply)
    assert answer.header(b"x-shared") == b"value"
    assert client.failure is None


def test_the_connections_own_window_may_not_be_overrun() -> None:
    client = Client(Limits(connection_window=70_000, stream_window=10**6, body=10**6))
    client.receive(settings({}) + frames.ACK_SETTINGS)
    batch = submit(client, 1)
    client.receive(headers(1, b"\x88", end=False, largest=16_384))
    client.receive(frame(0, 0, 1, bytes(14_000)) * 5)
    assert batch.left == 1
    client.receive(frame(0, 0, 1, b"x"))
    assert client.failure is not None
    assert client.failure.code is ErrorCode.FLOW_CONTROL_ERROR
    assert isinstance(batch.answers[0], Lost)


def test_a_small_connection_window_is_given_back_in_time() -> None:
    client, server = Client(Limits(connection_window=66_000)), StrangeServer()
    for _ in range(5):
        meet(client, server)
        batch = submit(client, 1)
        meet(client, server)
        [stream] = server.asked
        server.answer(stream, body=bytes(40_000))
        assert client.receive(server.say()) == [batch]


@pytest.mark.parametrize("limit", [{"stream_window": 65_534}, {"connection_window": 65_535}])
def test_no_window_is_smaller_than_the_default(limit: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="65,535"):
        Limits(**limit)


def test_unknown_error_codes_have_a_name_too() -> None:
    assert (code_name(8), code_name(0xBEEF)) == ("CANCEL", "0xbeef")


def test_more_templates_than_are_remembered() -> None:
    client, server = Client(), Server()
    client.receive(server.take())
    for number in range(200):
        template = Template(b"h", b"/%d/" % number, ((b"n", b"1"),))
        batch = Batch(2)
        assert client.submit(template, [(b"a", (), b"x")] * 2, 0, 2, batch) == 2
        requests = server.receive(client.take())
        assert [path for _, path, *_ in requests] == [b"/%d/a" % number] * 2
        server.respond_many((stream, answer_block(200), b"") for stream, *_ in requests)
        assert client.receive(server.take()) == [batch]


@pytest.mark.parametrize(
    ("news", "sent"),
    [
        (settings({4: 15}), 15),
        (settings({4: 5}), 10),
        (settings({4: 5}) + window_update(1, 10), 15),
        (settings({4: 0}) + window_update(1, 2**31 - 1), 20),  # -10 + 2**31 - 1: legal
        (settings({4: 0, 5: 20_000}) + settings({4: 2**31 - 1}), 20),
        (window_update(1, 3) + window_update(1, 4), 17),
    ],
)
def test_windows_that_move_while_a_body_waits(news: bytes, sent: int) -> None:
    client = Client()
    client.receive(settings({4: 10}))
    client.submit(Template(b"h", b"/"), [(b"", (), b"B" * 20)], 0, 1, Batch(1))
    client.receive(news)
    assert client.failure is None
    assert client.take().count(b"B") == sent


def test_an_overflowing_stream_window_ends_the_stream_or_the_connection() -> None:
    client, batch = Client(), Batch(2)
    client.receive(settings({4: 0}))
    client.submit(Template(b"h", b"/"), [(b"", (), bytes(10**5))] * 2, 0, 2, batch)
    client.receive(window_update(1, 2**31 - 1) * 2)
    assert isinstance(batch.answers[0], Lost)
    client.receive(window_update(3, 2**31 - 1) + settings({4: 2**31 - 1}))
    assert client.failure is not None
    assert client.failure.code is ErrorCode.FLOW_CONTROL_ERROR


def test_a_servers_stream_may_be_widened_before_it_is_answered() -> None:
    server = fresh_server()
    server.receive(settings({4: 0}) + ask(1) + ask(3) + window_update(1, 100))
    server.take()
    assert (
        server.respond_many([(1, answer_block(200), bytes(50)), (3, answer_block(200), b"x")]) == 2
    )
    said = server.take()
    assert frame(0, 1, 1, bytes(50)) in said
    assert frame(0, 1, 3, b"x") not in said
    assert server.open_streams == 1


@pytest.mark.parametrize("attack", [window_update(1, 0), window_update(1, 2**31 - 1) * 2])
def test_a_servers_stream_may_be_widened_wrongly(attack: bytes) -> None:
    server = fresh_server()
    server.receive(ask(1) + attack)
    assert server.take()[3:9] == b"\x03\0\0\0\0\x01"
    assert server.failure is None


def test_a_server_may_answer_before_it_was_asked() -> None:
    server = fresh_server()
    server.receive(ask(1, end=False) + ask(3, end=False))
    assert server.open_streams == 2
    assert server.respond(1, answer_block(413))
    assert server.respond(3, answer_block(413), b"too large")
    assert server.take().count(frames.rst_stream(1, ErrorCode.NO_ERROR)) == 1
    assert server.receive(frame(0, 0, 1, b"late") + frame(0, 1, 3, b"late")) == []
    assert server.failure is None


@pytest.mark.parametrize("trailer", [(b":path", b"/"), (b"A", b"b")])
def test_trailers_of_a_request_are_checked(trailer: tuple[bytes, bytes]) -> None:
    server = fresh_server()
    server.receive(ask(1, end=False) + ask(1, what=answer_style([trailer])))
    assert server.take()[3:9] == b"\x03\0\0\0\0\x01"
    server.receive(ask(3, end=False) + ask(3, end=False, what=answer_style([(b"a", b"b")])))
    assert server.take()[3:9] == b"\x03\0\0\0\0\x03"
    assert server.failure is None


def test_a_request_whose_path_never_changes() -> None:
    server = fresh_server()
    constant = b"\x83\x87\x84"  # POST, https and "/" are all in the static table
    for stream in (1, 3, 5):
        what = constant + answer_style([(b"n", b"%d" % stream)])
        body = frame(0, 1, stream, b"b")
        [(_, path, head, values, _)] = server.receive(ask(stream, end=False, what=what) + body)
        assert (path, head.path, values) == (b"/", b"/", (b"%d" % stream,))
        assert (head.method, head.scheme) == (b"POST", b"https")
