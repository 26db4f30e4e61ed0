"""The client and an h2 server: what is asked, what is answered, and who may have been processed."""

from __future__ import annotations

import h2.errors
import pytest

from booper.http2 import Batch, Client, Limits
from booper.wire import Lost, Reply, Template
from tests.booper.http2.strangers import TEMPLATE, StrangeServer, meet, met, stamp, stamps, submit

ERRORS = h2.errors.ErrorCodes


def answer_all(server: StrangeServer) -> None:
    for stream in list(server.asked):
        server.answer(stream)


def test_nothing_begins_before_the_servers_settings() -> None:
    client = Client()
    assert (client.room, client.settled) == (0, False)
    assert client.submit(TEMPLATE, stamps(1), 0, 1, Batch(1)) == 0
    server = StrangeServer()
    meet(client, server)
    assert (client.room, client.settled) == (100, True)


def test_a_request_arrives_as_written() -> None:
    client, server = met()
    submit(client, 3)
    meet(client, server)
    for number, (fields, body) in enumerate(server.asked.values()):
        assert fields == {
            b":method": b"POST",
            b":scheme": b"https",
            b":authority": b"api.example.org",
            b":path": b"/3/device/%d" % number,
            b"authorization": b"bearer secret",
            b"apns-topic": b"org.example",
            b"apns-push-type": b"alert",
            b"apns-id": b"id-%d" % number,
        }
        assert body == b'{"n":%d}' % number


@pytest.mark.parametrize("stateless", [True, False])
def test_answers_come_to_their_own_stamps_in_any_order(stateless: bool) -> None:
    client, server = Client(stateless=stateless), StrangeServer()
    meet(client, server)
    batch = submit(client, 40)
    meet(client, server)
    for place, stream in enumerate(reversed(list(server.asked))):
        body = b"why" * (place % 3)
        server.answer(stream, 410 if place % 2 else 200, body)
    assert client.receive(server.say()) == [batch]
    for number, answer in enumerate(batch.answers):
        assert isinstance(answer, Reply)
        assert answer.header(b"apns-id") == b"id-%d" % number
        place = 39 - number
        assert (answer.status, answer.body) == (410 if place % 2 else 200, b"why" * (place % 3))


def test_templates_take_turns_on_one_connection() -> None:
    client, server = met()
    headers = [((b"topic", b"%d" % (n % 5)), (b"n", b"x" * n * 30)) for n in range(12)]
    templates = [Template(b"host", b"/%d/" % n, fields) for n, fields in enumerate(headers)]
    for turn in range(60):
        template = templates[turn * 7 % 12]
        batch = Batch(2)
        assert client.submit(template, [(b"a", (), b"1"), (b"b", (), b"2")], 0, 2, batch) == 2
        meet(client, server)
        for fields, _ in server.asked.values():
            assert {k: fields[k] for k, _ in template.headers} == dict(template.headers)
            assert fields[b":path"][:-1] == template.path
        server.asked.clear()
        client.cancel(batch)


def test_stamped_headers_of_any_number() -> None:
    client, server = met()
    template = Template(b"h", b"/", (), (b"x-a", b"x-b", b"cookie"))
    batch = Batch(3)
    values = (b"1", b"", b"secret")
    assert client.submit(template, [(b"p", values, b"{}")] * 3, 0, 3, batch) == 3
    meet(client, server)
    for fields, _ in server.asked.values():
        assert (fields[b"x-a"], fields[b"x-b"], fields[b"cookie"]) == values


def test_a_stamp_must_fit_its_template() -> None:
    client, server = met()
    batch = Batch(3)
    wrong = [stamp(0), stamp(1), (b"2", (), b"{}")]
    with pytest.raises(ValueError, match="one value for each"):
        client.submit(TEMPLATE, [wrong[2]], 0, 1, Batch(1))
    with pytest.raises(ValueError, match="values to unpack"):
        client.submit(TEMPLATE, wrong, 0, 3, batch)
    meet(client, server)
    assert len(server.asked) == client.open_streams == 2  # the sound ones are on their way


@pytest.mark.parametrize("field", [(b"Upper", b"x"), (b"x", b"a\r\nb"), (b"connection", b"x")])
def test_a_template_that_may_not_be_sent_is_refused_at_once(field: tuple[bytes, bytes]) -> None:
    client, _ = met()
    with pytest.raises(ValueError, match="cannot be sent"):
        client.submit(Template(b"h", b"/", (field,)), [(b"", (), b"{}")], 0, 1, Batch(1))
    assert client.open_streams == 0
    assert submit(client, 1).left == 1


def test_requests_without_a_body_and_with_huge_headers() -> None:
    client, server = met()
    template = Template(b"h", b"/", ((b"x-long", b"v" * 40_000),), (), method=b"GET")
    assert client.submit(template, [(b"a", (), b"")] * 2, 0, 2, Batch(2)) == 2
    meet(client, server)
    assert [fields[b":method"] for fields, _ in server.asked.values()] == [b"GET", b"GET"]
    assert {len(fields[b"x-long"]) for fields, _ in server.asked.values()} == {40_000}


def test_the_servers_stream_limit_is_kept_as_it_moves() -> None:
    client, server = met(MAX_CONCURRENT_STREAMS=3)
    batch = Batch(10)
    assert client.submit(TEMPLATE, stamps(10), 0, 10, batch) == 3
    server.change(MAX_CONCURRENT_STREAMS=5)
    meet(client, server)
    assert client.submit(TEMPLATE, stamps(10), 3, 10, batch) == 2
    server.change(MAX_CONCURRENT_STREAMS=1)
    meet(client, server)
    assert client.room == 0
    answer_all(server)
    meet(client, server)
    assert client.room == 1
    assert batch.left == 5


def test_a_refused_or_unprocessed_request_is_not_sent() -> None:
    client, server = met()
    batch = submit(client, 4)
    meet(client, server)
    one, two, three, _ = server.asked
    server.refuse(one, ERRORS.REFUSED_STREAM)
    server.refuse(two, ERRORS.INTERNAL_ERROR)
    meet(client, server)
    server.h2.close_connection(last_stream_id=three)
    client.receive(server.say())
    assert batch.answers == [
        Lost(sent=False, reason="refused", detail="REFUSED_STREAM"),
        Lost(sent=True, reason="reset", detail="INTERNAL_ERROR"),
        None,
        Lost(sent=False, reason="goaway", detail="NO_ERROR"),
    ]
    assert client.draining
    assert client.goaway == (three, 0, b"")
    assert (client.room, client.open_streams, batch.left) == (0, 1, 1)


def test_cancel_disturbs_nobody_else() -> None:
    client, server = met()
    mine, theirs = submit(client, 20), submit(client, 20)
    meet(client, server)
    for stream in list(server.asked):
        server.answer(stream, body=b"late")  # on its way when the client changes its mind
    late = server.say()
    assert client.cancel(mine, "deadline") == 20
    assert client.receive(late) == [theirs]
    assert all(isinstance(a, Reply) and a.body == b"late" for a in theirs.answers)
    assert set(mine.answers) == {Lost(sent=True, reason="deadline")}
    assert client.failure is None
    assert client.open_streams == 0


def test_cancel_while_the_server_is_silent_resets_its_streams() -> None:
    client, server = met()
    mine, theirs = submit(client, 3), submit(client, 3)
    meet(client, server)
    assert client.cancel(mine) == 3
    assert client.cancel(mine) == 0
    meet(client, server)
    assert server.resets == dict.fromkeys((1, 3, 5), ERRORS.CANCEL)
    answer_all(server)
    assert client.receive(server.say()) == [theirs]


def test_what_was_taken_may_have_arrived_what_was_not_has_not() -> None:
    client, _ = met()
    first = submit(client, 2)
    client.take()
    second = submit(client, 2)
    assert client.lost_all("closed") == [first, second]
    assert [a.sent for a in first.answers if isinstance(a, Lost)] == [True, True]
    assert [a.sent for a in second.answers if isinstance(a, Lost)] == [False, False]
    assert client.take() == b""
    assert client.open_streams == client.room == 0


def test_stream_ids_run_out_and_the_connection_drains() -> None:
    client, server = Client(Limits(last_id=9)), StrangeServer()
    meet(client, server)
    batch = Batch(9)
    assert client.room == 5
    assert client.submit(TEMPLATE, stamps(9), 0, 9, batch) == 5
    assert client.draining
    meet(client, server)
    answer_all(server)
    meet(client, server)
    assert batch.left == 4
    assert client.submit(TEMPLATE, stamps(9), 5, 4, batch) == 0


def test_pings_go_both_ways() -> None:
    client, server = met()
    client.ping()
    assert client.pings == 1
    server.h2.ping(b"12345678")
    meet(client, server)
    assert client.pings == 0
    assert server.pongs == 1


def test_close_says_goodbye_once_and_lets_answers_come() -> None:
    client, server = met()
    batch = submit(client, 2)
    meet(client, server)
    answer_all(server)
    client.close()
    client.close()
    assert client.room == 0
    assert client.receive(server.say()) == [batch]
    goodbye = client.take()
    assert goodbye.count(b"\x07\0\0\0\0\0") == 1
    server.hear(goodbye)
    assert server.gone == ERRORS.NO_ERROR
