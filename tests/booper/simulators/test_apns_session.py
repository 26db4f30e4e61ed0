"""One connection in memory: an h2 client on one side, bytes in any portions, time by hand."""

from __future__ import annotations

import h2.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.simulators.apns import Habits, SigningKey, generate_key
from booper.simulators.faults import (
    Answer,
    AnyFault,
    Dead,
    Delay,
    FewStreams,
    GoAway,
    Hangup,
    Reset,
    Script,
    StuckWindow,
)
from booper.simulators.serving import Ending
from tests.booper.simulators.client import BODY, DEVICE, NOW, OTHER, Client

KEY = generate_key()


@pytest.mark.parametrize("portion", [1, 2, 7, 100, 65536])
def test_bytes_in_any_portions_give_the_same_answers(key: SigningKey, portion: int) -> None:
    client = Client(key, habits=Habits(faithful_streams=False), portion=portion)
    good = client.post(apns_id="058a65df-429b-47cd-afc2-6ad42bca0f27")
    bad = client.post("zz")
    client.pump()
    assert (client.status(good), client.status(bad)) == (200, 400)
    assert client.answers[good]["apns-id"] == "058a65df-429b-47cd-afc2-6ad42bca0f27"
    assert len(client.answers[bad]["apns-id"]) == 36
    assert client.bodies == {bad: {"reason": "BadDeviceToken"}}
    (entry,) = client.desk.ledger
    assert (entry.instance, entry.device, entry.push_id, entry.time) == (
        "TEAM123456/KEY1234567/org.example.app",
        DEVICE,
        "058a65df-429b-47cd-afc2-6ad42bca0f27",
        NOW,
    )
    assert client.desk.ledger.refused == {"BadDeviceToken": 1}


def test_one_stream_until_a_good_provider_token_came(key: SigningKey) -> None:
    client = Client(key)
    client.pump()
    assert client.limits == [1]
    client.post(authorization="bearer abc")
    client.pump()
    assert client.limits == [1]
    client.post("zz")
    client.pump()
    assert client.limits == [1, 1000]


def test_streams_beyond_an_acknowledged_limit_are_refused_one_by_one(key: SigningKey) -> None:
    client = Client(key)
    first, second = client.post(), client.post()  # legal: no SETTINGS seen yet
    client.pump()
    assert (client.status(first), client.status(second)) == (200, 200)
    narrow = Client(key, Script(FewStreams(1)))
    narrow.pump()
    narrow.h2.remote_settings.max_concurrent_streams = 1000
    narrow.h2.remote_settings.acknowledge()
    kept, refused = narrow.post(body=None), narrow.post()
    narrow.pump()
    assert narrow.resets == {refused: h2.errors.ErrorCodes.REFUSED_STREAM}
    narrow.h2.send_data(kept, BODY, end_stream=True)
    narrow.pump()
    assert narrow.status(kept) == 200
    assert narrow.limits == [1]
    assert narrow.desk.ledger.refused == {"REFUSED_STREAM": 1}


def test_an_answer_fault_overrules_the_rules(key: SigningKey) -> None:
    client = Client(
        key,
        Script(Answer(410, "Unregistered", timestamp=17), DEVICE, times=1),
        Script(Answer(503, "ServiceUnavailable", retry_after=9), OTHER),
        Script(Answer(200), "zz"),
    )
    gone, good, busy, waved = client.post(), client.post(), client.post(OTHER), client.post("zz")
    client.pump()
    assert [client.status(s) for s in (gone, good, busy, waved)] == [410, 200, 503, 200]
    assert client.bodies[gone] == {"reason": "Unregistered", "timestamp": 17}
    assert client.answers[busy]["retry-after"] == "9"
    assert client.desk.ledger.summary().accepted == 2


def test_delays_hold_answers_back_and_add_up(key: SigningKey) -> None:
    client = Client(key, Script(Delay(2.0), DEVICE), Script(Delay(1.0)))
    slow, quick, dropped = client.post(), client.post(OTHER), client.post(OTHER)
    client.pump()
    assert client.answers == {}
    assert len(client.desk.ledger) == 3
    assert client.session.deadline() == 1.0
    client.h2.reset_stream(dropped, 8)
    client.pump()
    client.pump(at=1.0)
    assert set(client.answers) == {quick}
    client.pump(at=2.9)
    assert set(client.answers) == {quick}
    client.pump(at=3.0)
    assert set(client.answers) == {quick, slow}


def test_a_push_reset_in_the_same_breath_harms_no_other(key: SigningKey) -> None:
    client = Client(key, Script(Reset(2), "zz"))
    streams = [client.post(), client.post("zz"), client.post(OTHER)]
    for stream_id in streams[:2]:
        client.h2.reset_stream(stream_id, 8)
    client.pump()
    assert set(client.answers) == {streams[2]}
    assert client.resets == {}
    assert client.session.ending is None


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize(
    ("fault", "ending"),
    [(Reset, None), (Dead, Ending.DEAD), (Hangup, Ending.HANGUP)],
)
def test_a_request_without_an_answer(
    key: SigningKey, fault: type[Reset | Dead | Hangup], ending: Ending | None, accepted: bool
) -> None:
    client = Client(key, Script(fault(accepted=accepted), DEVICE, 1))
    before, lost, after = client.post(OTHER), client.post(), client.post(OTHER)
    client.pump()
    assert client.session.ending is ending
    assert client.status(before) == 200
    assert lost not in client.answers
    assert client.resets == ({lost: 2} if ending is None else {})
    assert (after in client.answers) == (ending is None)
    assert client.desk.ledger.by_device()[DEVICE] == int(accepted)


def test_a_refused_push_is_never_booked_by_a_fault(key: SigningKey) -> None:
    client = Client(key, Script(Reset(8, accepted=True)))
    stream = client.post(apns_topic="org.example.other")
    client.pump()
    assert client.resets == {stream: 8}
    assert len(client.desk.ledger) == 0


def test_goaway_answers_what_it_promised_and_processes_nothing_more(key: SigningKey) -> None:
    client = Client(key, Script(GoAway(after=3)), Script(Delay(1.0), OTHER))
    streams = [client.post(OTHER), *(client.post() for _ in range(9))]
    client.pump()
    assert client.goaways == [(streams[2], {"reason": "Shutdown"})]
    # h2's client takes nothing more in after GOAWAY, so read on from the session itself
    client.session.tick(1.0)
    assert client.session.take()
    assert len(client.desk.ledger) == 3
    assert client.session.ending is None
    client.session.tick(1.0 + Habits().linger)
    assert client.session.ending is Ending.CLOSE


def test_goaway_at_once_processes_nothing(key: SigningKey) -> None:
    client = Client(key, Script(GoAway(after=0, code=2, reason="Oops"), times=1))
    client.post()
    client.pump()
    assert client.goaways == [(0, {"reason": "Oops"})]
    assert len(client.desk.ledger) == 0
    assert len(client.desk.faults) == 0


def test_a_stuck_window_from_the_start_lets_no_body_through(key: SigningKey) -> None:
    client = Client(key, Script(StuckWindow()))
    client.pump()
    stream = client.post(body=None)
    assert client.h2.local_flow_control_window(stream) == 0


@pytest.mark.parametrize("stuck", [False, True])
def test_a_stuck_window_later_dries_the_connection_up(key: SigningKey, stuck: bool) -> None:
    fault: AnyFault = StuckWindow() if stuck else Delay(0.0)
    client = Client(key, Script(fault, OTHER, 1))
    body = b'{"aps":"' + b"x" * 3990 + b'"}'
    sent = 0
    for _ in range(40):
        stream = client.post(OTHER, body=None)
        if client.h2.local_flow_control_window(stream) < len(body):
            break
        client.h2.send_data(stream, body, end_stream=True)
        client.pump()
        sent += 1
    assert sent == (65535 // len(body) if stuck else 40)


def test_few_streams_for_one_device_narrow_its_connection(key: SigningKey) -> None:
    client = Client(key, Script(FewStreams(2), OTHER))
    client.post()
    client.pump()
    client.post(OTHER)
    client.pump()
    client.post()
    client.pump()
    assert client.limits == [1, 1000, 2]


def test_an_endless_body_is_answered_early_and_reset(key: SigningKey) -> None:
    client = Client(key)
    stream = client.post(body=None)
    for _ in range(3):
        client.h2.send_data(stream, b"x" * 8000)
    client.pump()
    assert client.bodies[stream] == {"reason": "PayloadTooLarge"}
    assert client.resets == {stream: h2.errors.ErrorCodes.NO_ERROR}
    again = client.post()
    client.pump()
    assert client.status(again) == 200


def test_an_endless_body_that_ends_while_its_answer_waits(key: SigningKey) -> None:
    client = Client(key, Script(Delay(1.0)))
    stream = client.post(body=None)
    for last in (False, False, True):
        client.h2.send_data(stream, b"x" * 8200, end_stream=last)
        client.pump()
    client.pump(at=1.0)
    assert client.bodies[stream] == {"reason": "PayloadTooLarge"}
    assert client.resets == {}
    assert client.session.requests == 1


def test_error_bodies_wait_for_a_client_that_credits_nothing(key: SigningKey) -> None:
    """aioapns never opens its window for answers: 64 KiB of them must be enough for it."""
    client = Client(key, Script(Answer(429, "x" * 9000)))
    streams = [client.post() for _ in range(9)]
    client.pump()
    assert len(client.answers) == 9
    assert len(client.bodies) == 7
    client.h2.reset_stream(streams[7], 8)
    client.h2.increment_flow_control_window(65535)
    client.pump()
    assert set(client.bodies) == {*streams[:7], streams[8]}


def test_an_idle_connection_is_told_so_and_left(key: SigningKey) -> None:
    client = Client(key, habits=Habits(idle_timeout=60.0, linger=5.0))
    begun = client.post(body=None)
    client.pump()
    assert client.session.deadline() == 60.0
    client.session.tick(59.0)
    client.pump(at=60.0)
    assert client.goaways == [(begun, {"reason": "IdleTimeout"})]
    assert client.desk.ledger.refused == {"IdleTimeout": 1}
    client.session.tick(64.0)
    assert client.session.ending is None
    client.session.tick(65.0)
    assert client.session.ending is Ending.CLOSE


def test_nonsense_and_farewells_end_the_session(key: SigningKey) -> None:
    for words in (b"GET / HTTP/1.1\r\n\r\n", b""):
        client = Client(key)
        client.session.receive(words, 0.0)
        assert client.session.ending is Ending.CLOSE
    client = Client(key)
    client.pump()
    client.h2.close_connection()
    client.pump()
    assert client.session.ending is Ending.CLOSE


_BITES = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=5)


@given(_BITES, st.integers(1, 500))
def test_broken_bytes_end_the_session_or_are_survived(
    bites: list[tuple[int, int]], portion: int
) -> None:
    """Whatever arrives, the session neither raises nor accepts a push that was not sent."""
    client = Client(KEY, Script(Delay(1.0), OTHER))
    client.post(OTHER)
    client.post()
    client.post("zz", body=b"x" * 100)
    client.h2.ping(b"12345678")
    words = bytearray(client.h2.data_to_send())
    for place, value in bites:
        words[place % len(words)] = value
    while words and client.session.ending is None:
        client.session.receive(bytes(words[:portion]), 0.0)
        del words[:portion]
    client.session.tick(10_000.0)
    client.session.take()
    assert client.desk.ledger.summary().duplicates == 0
    assert len(client.desk.ledger) <= 3
