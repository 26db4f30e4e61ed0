"""The server beside h2's client, and both of our own ends together, cut at every byte."""

from __future__ import annotations

from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from booper.http2 import Batch, Client, ErrorCode, Limits, Request, Server, answer_block
from booper.wire import Header, Lost, Reply, Template
from tests.booper.http2.strangers import TEMPLATE, stamp, stamps, submit

HEAD: list[Header] = [
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":authority", b"host"),
    (b":path", b"/3/device/abc"),
    (b"topic", b"t"),
]


class StrangeClient:
    """An h2 client that remembers what it is told."""

    def __init__(self) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding=None)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.answers: dict[int, dict[bytes, bytes]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.gone: list[int] = []

    def hear(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self._on(event)

    def _on(self, event: Any) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            self.answers[event.stream_id] = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.add(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.resets[event.stream_id] = int(event.error_code or 0)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.gone.append(int(event.last_stream_id or 0))

    def ask(self, number: int, body: bytes, **more: Any) -> int:
        stream = self.h2.get_next_available_stream_id()
        fields = [*HEAD, (b"n", b"%d" % number)]
        self.h2.send_headers(stream, fields, end_stream=not body, **more)
        if body:
            self.h2.send_data(stream, body, end_stream=True)
        return stream


def meet(client: StrangeClient, server: Server) -> list[Request]:
    requests: list[Request] = []
    while True:
        up, down = bytes(client.h2.data_to_send()), server.take()
        if not up and not down:
            return requests
        requests += server.receive(up)
        client.hear(down)


def met() -> tuple[StrangeClient, Server]:
    client, server = StrangeClient(), Server()
    meet(client, server)
    return client, server


@pytest.mark.parametrize("more", [{}, {"priority_weight": 7}], ids=["plain", "prioritised"])
def test_an_h2_client_is_understood_and_answered(more: dict[str, int]) -> None:
    client, server = met()
    for number in range(30):
        client.ask(number, b"x" * number, **more)
    requests = meet(client, server)
    for number, (stream, path, head, values, body) in enumerate(requests):
        assert (path, body, head.method) == (b"/3/device/abc", b"x" * number, b"POST")
        assert head.authority == b"host"
        assert head.header(b"topic", values) == b"t"
        assert head.header(b"n", values) == b"%d" % number
        assert head.header(b"absent", values) is None
        assert server.respond(stream, answer_block(200, ((b"n", b"%d" % number),)), body)
    meet(client, server)
    assert server.failure is None
    for number, (stream, *_) in enumerate(requests):
        assert client.answers[stream] == {b":status": b"200", b"n": b"%d" % number}
        assert client.bodies.get(stream, b"") == b"x" * number
    assert client.ended == {stream for stream, *_ in requests}
    assert server.open_streams == 0


def test_a_large_answer_waits_for_its_windows() -> None:
    client, server = met()
    client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    one, two = client.ask(1, b"1"), client.ask(2, b"2")
    meet(client, server)
    for stream in (one, two):
        assert server.respond(stream, answer_block(200), bytes(300_000))
    assert server.open_streams == 2
    meet(client, server)
    assert client.bodies == {one: bytes(300_000), two: bytes(300_000)}
    assert server.open_streams == 0


def test_a_large_question_is_cut_off_but_answered() -> None:
    client, server = met()
    stream = client.ask(1, b"")
    meet(client, server)
    client.h2.send_headers(stream + 2, HEAD)
    for _ in range(20):
        client.h2.send_data(stream + 2, b"q" * 16_000)
        meet(client, server)
    client.h2.send_headers(stream + 2, [(b"trailer", b"1")], end_stream=True)
    [(_, _, _, _, body)] = meet(client, server)
    assert body == b"q" * 65_536
    assert server.respond(stream + 2, answer_block(413))
    assert server.failure is None


def test_who_has_left_is_not_answered() -> None:
    client, server = met()
    gone, here = client.ask(1, b"1"), client.ask(2, b"2")
    assert len(meet(client, server)) == 2
    client.h2.reset_stream(gone)
    meet(client, server)
    assert (
        server.respond_many([(gone, answer_block(200), b""), (here, answer_block(204), b"")]) == 1
    )
    assert not server.respond(here, answer_block(200))
    meet(client, server)
    assert set(client.answers) == {here}


def test_faults_a_simulator_wants() -> None:
    client, server = met()
    one, two, three = (client.ask(n, b"x") for n in range(3))
    meet(client, server)
    server.reset(one, ErrorCode.REFUSED_STREAM)
    assert server.respond(two, answer_block(200))
    server.goaway(two, ErrorCode.ENHANCE_YOUR_CALM, "enough")
    assert not server.respond(three, answer_block(200))
    client.hear(server.take())
    assert client.resets == {one: ErrorCode.REFUSED_STREAM}
    assert client.gone == [two]
    assert client.answers.keys() == {two}


def test_an_announced_stream_limit_holds_once_it_was_heard() -> None:
    client, server = Client(), Server(streams=2)
    client.receive(server.take())
    batch = Batch(5)
    assert client.submit(TEMPLATE, stamps(5), 0, 5, batch) == 2
    assert len(server.receive(client.take())) == 2
    server.announce(streams=4)
    client.receive(server.take())
    assert client.submit(TEMPLATE, stamps(5), 2, 5, batch) == 2
    assert len(server.receive(client.take())) == 2
    client.peer.streams = 100  # a client that does not care
    assert client.submit(TEMPLATE, stamps(5), 4, 5, batch) == 1
    assert server.receive(client.take()) == []
    client.receive(server.take())
    assert batch.answers[4] == Lost(sent=False, reason="refused", detail="REFUSED_STREAM")


def serve(server: Server, requests: list[Request]) -> None:
    """Answer with the request's id and body; every third with a body, every fifth one by one."""
    many = []
    for stream, path, head, values, body in requests:
        number = int(path.rpartition(b"/")[2])
        name = head.header(b"apns-id", values)
        assert name == b"id-%d" % number
        assert head.header(b"authorization", values) == b"bearer secret"
        block = answer_block(410 if number % 7 == 0 else 200, ((b"apns-id", name),))
        answer = (stream, block, body if number % 3 == 0 else b"")
        if number % 5:
            many.append(answer)
        else:
            assert server.respond(*answer)
    assert server.respond_many(many) == len(many)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 700), max_size=40), st.booleans())
def test_our_two_ends_cut_anywhere(cuts: list[int], stateless: bool) -> None:
    client, server = Client(stateless=stateless), Server(streams=25)
    client.receive(server.take())
    batch, taken = Batch(100), 0
    wanted = [stamp(n, b"b" * (n * 37 % 90)) for n in range(100)]
    up = down = b""
    sizes = iter(cuts)
    for _ in range(400):
        taken += client.submit(TEMPLATE, wanted, taken, 100, batch)
        up, down = up + client.take(), down + server.take()
        size = next(sizes, 100_000)
        serve(server, server.receive(up[:size]))
        client.receive(down[:size])
        up, down = up[size:], down[size:]
        if not batch.left:
            break
    assert client.failure is server.failure is None
    for number, answer in enumerate(batch.answers):
        assert isinstance(answer, Reply)
        assert answer.header(b"apns-id") == b"id-%d" % number
        assert answer.status == (410 if number % 7 == 0 else 200)
        assert answer.body == (wanted[number][2] if number % 3 == 0 else b"")


def test_our_two_ends_byte_by_byte() -> None:
    client, server = Client(), Server()
    client.receive(server.take())
    batch = submit(client, 12)
    for _ in range(3):
        for byte in client.take():
            serve(server, server.receive(bytes((byte,))))
        for byte in server.take():
            client.receive(bytes((byte,)))
    assert batch.left == 0
    assert client.failure is server.failure is None
    for number, answer in enumerate(batch.answers):
        assert isinstance(answer, Reply)
        assert answer.header(b"apns-id") == b"id-%d" % number


def test_requests_of_one_kind_share_their_head() -> None:
    client, server = Client(Limits()), Server()
    client.receive(server.take())
    other = Template(b"api.example.org", b"/", TEMPLATE.headers, TEMPLATE.stamped)
    heads = []
    for template in (TEMPLATE, TEMPLATE, other, other, TEMPLATE):
        batch = Batch(10)
        client.submit(template, stamps(10), 0, 10, batch)
        requests = server.receive(client.take())
        assert [path for _, path, *_ in requests] == [
            b"%s%d" % (template.path, n) for n in range(10)
        ]
        heads += [head for _, _, head, _, _ in requests]
        server.respond_many((r[0], answer_block(200), b"") for r in requests)
        assert client.receive(server.take()) == [batch]
    assert len({id(head) for head in heads[10:]}) <= 3
