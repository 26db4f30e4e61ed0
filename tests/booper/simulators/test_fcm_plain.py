"""One HTTP/1.1 connection in memory: h11 on one side, bytes in any portions, time by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.providers.fcm import Fcm
from booper.simulators.faults import (
    Answer,
    AnyFault,
    Dead,
    Delay,
    Faults,
    FewStreams,
    GoAway,
    Hangup,
    Reset,
    Script,
    StuckWindow,
)
from booper.simulators.fcm import Credentials, FcmExaminer, Project, generate_account
from booper.simulators.ledger import Ledger
from booper.simulators.serving import Desk, Ending, Habits
from booper.simulators.serving.plain import PlainSession

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_800_000_000.0
ISSUED = generate_account("my-project")
BEARER = Fcm().codec("g", {"credentials": ISSUED.file("https://x/token")}).mint(NOW).text.reveal()
BODY = b'{"message":{"token":"device-0000000001"}}'


def post(body: bytes = BODY, *lines: str) -> bytes:
    """A push as it stands on the wire."""
    head = [
        "POST /v1/projects/my-project/messages:send HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {BEARER}",
        f"Content-Length: {len(body)}",
        *lines,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def session(*scripts: Script) -> tuple[PlainSession, Desk]:
    project = Project("my-project", [ISSUED.account])
    desk = Desk(Faults(scripts), Ledger(), Habits(idle_timeout=60), lambda: NOW)
    made = PlainSession(desk, FcmExaminer(project, Credentials(project), desk), 0.0)
    made.open()
    return made, desk


def statuses(data: bytes) -> list[int]:
    """The statuses of the answers in what a server said, all of them whole."""
    found = []
    client = h11.Connection(h11.CLIENT)
    client.receive_data(data)
    while client.trailing_data[0]:
        client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        client.send(h11.EndOfMessage())
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            assert event is not h11.NEED_DATA
            if isinstance(event, h11.Response | h11.InformationalResponse):
                found.append(event.status_code)
        if client.their_state is not h11.DONE:
            break
        client.start_next_cycle()
    return found


@pytest.mark.parametrize("portion", [1, 7, 100, 65536])
def test_bytes_in_any_portions_give_the_same_answers(portion: int) -> None:
    own, desk = session()
    data = post() + post(b"junk") + post()
    for start in range(0, len(data), portion):
        own.receive(data[start : start + portion], 0.0)
    assert statuses(own.take()) == [200, 400, 200]
    assert (own.ending, len(desk.ledger), own.requests) == (None, 2, 3)


def test_whoever_waits_for_a_go_ahead_gets_it() -> None:
    own, _ = session()
    whole = post(BODY, "Expect: 100-continue")
    own.receive(whole[: -len(BODY)], 0.0)
    assert own.take().startswith(b"HTTP/1.1 100")
    own.receive(BODY, 0.0)
    assert own.take().startswith(b"HTTP/1.1 200")


def test_an_answer_held_back_holds_back_those_behind_it() -> None:
    own, _ = session(Script(Delay(5.0), times=1))
    own.receive(post() + post(b"junk"), 1.0)
    assert (own.take(), own.deadline()) == (b"", 6.0)
    own.tick(5.9)
    assert own.take() == b""
    own.tick(6.0)
    assert statuses(own.take()) == [200, 400]
    assert own.deadline() == 61.0
    own.tick(61.0)
    assert own.ending is Ending.CLOSE


@pytest.mark.parametrize(
    ("fault", "ending", "accepted"),
    [
        (Hangup(), Ending.HANGUP, 0),
        (Hangup(accepted=True), Ending.HANGUP, 1),
        (Reset(accepted=True), Ending.HANGUP, 1),
        (Dead(), Ending.DEAD, 0),
        (Dead(accepted=True), Ending.DEAD, 1),
    ],
)
def test_a_fault_leaves_the_request_without_an_answer(
    fault: AnyFault, ending: Ending, accepted: int
) -> None:
    own, desk = session(Script(fault))
    own.receive(post(), 0.0)
    assert (own.take(), own.ending, len(desk.ledger)) == (b"", ending, accepted)


def test_a_scripted_answer_is_given_and_written_down() -> None:
    own, desk = session(Script(Answer(503, "UNAVAILABLE", retry_after=3), times=1))
    own.receive(post() + post(), 0.0)
    said = own.take()
    assert statuses(said) == [503, 200]
    assert b"retry-after: 3\r\n" in said
    assert desk.ledger.refused == {"UNAVAILABLE": 1}


def test_goaway_closes_behind_the_answer() -> None:
    own, desk = session(Script(GoAway(after=1)), Script(FewStreams(1)), Script(StuckWindow()))
    own.receive(post() + post() + post(), 0.0)
    assert statuses(own.take()) == [200, 200]
    assert (own.ending, len(desk.ledger)) == (Ending.CLOSE, 2)


def test_a_body_without_end_is_cut_off() -> None:
    own, _ = session()
    own.receive(post(b"x" * 70_000), 0.0)
    assert own.take().startswith(b"HTTP/1.1 413")
    assert own.ending is Ending.CLOSE


def test_the_token_endpoint_writes_nothing_down_unless_it_refuses() -> None:
    own, desk = session()
    own.receive(post(b"a=b").replace(b"/v1/projects/my-project/messages:send", b"/token"), 0.0)
    assert statuses(own.take()) == [400]
    assert desk.ledger.refused == {"unsupported_grant_type": 1}


@given(st.binary(max_size=300) | st.text("GET / HTTP1.:\r\n", max_size=80).map(str.encode))
def test_junk_ends_the_connection_at_most(data: bytes) -> None:
    own, desk = session()
    own.receive(data, 0.0)
    own.receive(b"", 0.0)
    assert own.ending is Ending.CLOSE
    assert len(desk.ledger) == 0


CHANGES: list[Callable[[bytes], bytes]] = [
    lambda push: push.replace(b"Host: localhost\r\n", b""),
    lambda push: push.replace(b"Content-Length: ", b"Content-Length: x"),
    lambda push: push.replace(b"Host:", b"H" * 40_000 + b":"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_no_http_is_answered_once_and_closed(change: Callable[[bytes], bytes]) -> None:
    own, _ = session()
    own.receive(change(post()) + post(), 0.0)
    assert own.take()[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5")
    assert own.ending is Ending.CLOSE
