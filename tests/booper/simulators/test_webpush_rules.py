"""What the simulated push service takes and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from booper.providers import ece
from booper.simulators.webpush import Push, Refusal, judge
from booper.simulators.webpush.agents import INBOX, Message
from tests.booper.providers.keys import P256
from tests.booper.simulators.webpush_requests import NOW, ORIGIN, SENDER, Sender, vapid

OTHER = ec.generate_private_key(ec.SECP256R1())


def judged(sender: Sender, name: str | None = None) -> Push | Refusal:
    headers = list(sender.headers.items())
    agents = sender.agents
    return judge(name or sender.agent.name, headers, sender.body, agents, ORIGIN, NOW, "m1")


def refused(sender: Sender) -> tuple[int, int]:
    verdict = judged(sender)
    assert isinstance(verdict, Refusal), verdict
    return verdict.status, verdict.errno


def test_a_good_request_is_decrypted() -> None:
    sender = Sender()
    sender.headers |= {"urgency": "high", "topic": "a_B-9"}
    verdict = judged(sender)
    assert isinstance(verdict, Push)
    assert (verdict.agent, verdict.sender) == (sender.agent, SENDER)
    assert verdict.message == Message("m1", b"hello", 60, "high", "a_B-9")
    sender.body = sender.encrypted(b"hello")
    again = judged(sender)
    assert isinstance(again, Push)
    assert again.digest == verdict.digest, "the same text"
    sender.body = sender.encrypted(b"hullo")
    other = judged(sender)
    assert isinstance(other, Push)
    assert other.digest != verdict.digest


def test_a_subscription_without_a_server_key_takes_anybody() -> None:
    sender = Sender(restricted=False)
    del sender.headers["authorization"]
    verdict = judged(sender)
    assert isinstance(verdict, Push)
    assert verdict.sender == ""
    sender.headers["authorization"] = vapid(OTHER)
    assert refused(sender) == (403, 109), "but a VAPID that is there must be right"


def test_without_a_body_only_the_headers_count() -> None:
    sender = Sender()
    sender.body = b""
    del sender.headers["content-encoding"]
    verdict = judged(sender)
    assert isinstance(verdict, Push)
    assert verdict.message.text == b""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ttl": None}, (400, 111)),
        ({"ttl": ""}, (400, 112)),
        ({"ttl": "-1"}, (400, 112)),
        ({"ttl": "1.5"}, (400, 112)),
        ({"ttl": "٣"}, (400, 112)),
        ({"urgency": "urgent"}, (400, 110)),
        ({"urgency": ""}, (400, 110)),
        ({"topic": ""}, (400, 113)),
        ({"topic": "x" * 33}, (400, 113)),
        ({"topic": "a b"}, (400, 113)),
        ({"topic": "a="}, (400, 113)),
        ({"content-encoding": None}, (400, 110)),
        ({"content-encoding": "aesgcm"}, (400, 110)),
        ({"content-encoding": "gzip"}, (400, 110)),
        ({"authorization": None}, (401, 109)),
        ({"authorization": ""}, (401, 109)),
        ({"authorization": "Bearer abc"}, (401, 109)),
        ({"authorization": "vapid t=a"}, (401, 109)),
        ({"authorization": "vapid t=a, t=b"}, (401, 109)),
        ({"authorization": "vapid t=a, k=b"}, (403, 109)),
        ({"authorization": vapid().replace("k=", "k=x")}, (403, 109)),
        ({"authorization": vapid(OTHER)}, (403, 109)),  # signed by another key
        ({"authorization": vapid(aud="https://other.example")}, (403, 109)),
        ({"authorization": vapid(aud=None)}, (403, 109)),
        ({"authorization": vapid(aud=[ORIGIN])}, (403, 109)),
        ({"authorization": vapid(exp=int(NOW) - 301)}, (403, 109)),
        ({"authorization": vapid(exp=int(NOW) + 86_400 + 301)}, (403, 109)),
        ({"authorization": vapid(exp=None)}, (403, 109)),
        ({"authorization": vapid(sub=None)}, (403, 109)),
        ({"authorization": vapid(sub="ops@example.com")}, (403, 109)),
        ({"authorization": vapid(sub="http://example.com")}, (403, 109)),
    ],
)
def test_headers(change: dict[str, Any], expected: tuple[int, int]) -> None:
    sender = Sender()
    for name, value in change.items():
        if value is None:
            del sender.headers[name]
        else:
            sender.headers[name] = value
    assert refused(sender) == expected


def test_the_key_must_be_the_subscriptions_own() -> None:
    sender = Sender()
    other = Sender()
    other.agent.server_key = ece.public_point(OTHER)
    assert refused(other) == (403, 109)
    verdict = judged(other)
    assert isinstance(verdict, Refusal)
    assert verdict.message == "VAPID public key mismatch"
    assert isinstance(judged(sender), Push)


def test_a_header_may_come_once() -> None:
    sender = Sender()
    headers = [*sender.headers.items(), ("ttl", "61")]
    verdict = judge(sender.agent.name, headers, sender.body, sender.agents, ORIGIN, NOW, "m")
    assert isinstance(verdict, Refusal)


def test_what_the_agent_cannot_decrypt() -> None:
    sender = Sender()
    sender.body = Sender().body
    assert refused(sender) == (400, 110)
    sender.body = b"plain"
    assert refused(sender) == (400, 110)


def test_4096_bytes_are_taken_and_no_more() -> None:
    sender = Sender()
    sender.body = sender.encrypted(b"x" * 3993)
    assert len(sender.body) == 4096
    assert isinstance(judged(sender), Push)
    sender.body += b"\0"
    assert refused(sender) == (413, 104)


def test_devices_that_are_not_there() -> None:
    sender = Sender()
    verdict = judged(sender, "nobody")
    assert isinstance(verdict, Refusal)
    assert verdict.status == 404
    sender.agent.expired = True
    assert refused(sender) == (410, 106)


def test_an_unread_message_is_replaced_by_one_of_its_topic() -> None:
    agent = Sender().agent
    for id_, topic in [("1", "t"), ("2", None), ("3", "u"), ("4", "t"), ("5", None)]:
        agent.receive(Message(id_, b"", 0, "normal", topic))
    assert [message.id for message in agent.inbox] == ["2", "3", "4", "5"]
    for number in range(INBOX * 2):
        agent.receive(Message(str(number), b"", 0, "normal", None))
    assert len(agent.inbox) == INBOX


@pytest.mark.parametrize(
    "key", [b"", b"\x04" * 65, ece.public_point(P256)[:-1]], ids=["empty", "off", "short"]
)
def test_a_server_key_is_a_point(key: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Sender().agents.subscribe(key)


@given(
    st.dictionaries(
        st.sampled_from(["authorization", "ttl", "topic", "urgency", "content-encoding"]),
        st.text(max_size=60),
    ),
    st.binary(max_size=200),
)
def test_junk_is_refused_and_never_a_crash(headers: dict[str, str], body: bytes) -> None:
    sender = Sender()
    sender.headers, sender.body = headers, body
    assert isinstance(judged(sender), Refusal)
