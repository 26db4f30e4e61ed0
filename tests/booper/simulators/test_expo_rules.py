"""What the simulated Expo makes of requests: pure, call by call."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain.content import Content, Form, Interruption
from booper.domain.delivery import Target
from booper.providers.expo import Expo, ExpoParcels
from booper.providers.provider import Occasion
from booper.simulators.expo import PROJECT, ExpoAccount, ExpoRules
from booper.simulators.faults import Answer
from booper.simulators.http import Call, Ruling

NOW = 1_800_000_000.0
SEND, RECEIPTS = "/--/api/v2/push/send", "/--/api/v2/push/getReceipts"
A, B = "ExponentPushToken[a]", "ExpoPushToken[b]"


def call(said: Any, target: str = SEND, **headers: str) -> Call:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    sent = {"content_type": "application/json", **headers}
    pairs = tuple((key.replace("_", "-"), text) for key, text in sent.items())
    return Call("POST", target, pairs, body)


def judged(rules: ExpoRules, said: Any, now: float = NOW, **headers: str) -> Ruling:
    return rules.judge(call(said, **headers), now)


def answer(ruling: Ruling) -> Any:
    return json.loads(ruling.body)


def code(ruling: Ruling) -> tuple[int, str]:
    (error,) = answer(ruling)["errors"]
    assert ruling.pushes == ()
    assert ruling.reason == error["code"]
    return ruling.status, error["code"]


def sent(rules: ExpoRules, said: Any) -> list[Any]:
    """The tickets, the request being kept."""
    ruling = judged(rules, said)
    assert ruling.status == 200
    assert ruling.keep is not None
    ruling.keep()
    data = answer(ruling)["data"]
    return data if isinstance(data, list) else [data]


def asked(rules: ExpoRules, ids: list[str], now: float) -> Any:
    return answer(rules.judge(call({"ids": ids}, RECEIPTS), now))["data"]


def test_tickets_in_the_order_of_recipients() -> None:
    rules = ExpoRules()
    rules.account.ticket_errors[B] = "DeviceNotRegistered"
    said = [{"to": [A, B]}, {"to": "not a token", "body": "x"}, {"to": A, "collapseId": "c"}]
    ruling = judged(rules, said)
    tickets = answer(ruling)["data"]
    assert [ticket["status"] for ticket in tickets] == ["ok", "error", "error", "ok"]
    assert tickets[1]["details"] == {"error": "DeviceNotRegistered", "expoPushToken": B}
    assert ruling.pushes == ((A, tickets[0]["id"]), (A, "c"))
    assert ruling.devices == (A, B, "not a token", A)
    assert ruling.instance == PROJECT


def test_one_message_to_one_recipient_gets_its_ticket_without_a_list() -> None:
    assert answer(judged(ExpoRules(), {"to": A}))["data"]["status"] == "ok"
    assert len(answer(judged(ExpoRules(), {"to": [A]}))["data"]) == 1
    assert len(answer(judged(ExpoRules(), [{"to": A}]))["data"]) == 1


@pytest.mark.parametrize(
    "said",
    [
        [],
        {},
        7,
        None,
        [{"to": []}],
        [{"to": [7]}],
        [{"to": A, "body": 7}],
        [{"to": A, "priority": "urgent"}],
        [{"to": A, "badge": -1}],
        [{"to": A, "data": [1]}],
        [{"to": A, "bodyy": "x"}],
        [{"to": A, "sound": {"loud": True}}],
        b"{",
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_messages_that_are_none(said: Any) -> None:
    assert code(judged(ExpoRules(), said)) == (400, "VALIDATION_ERROR")


def test_a_hundred_recipients_and_no_more() -> None:
    def tokens(count: int) -> list[str]:
        return [f"ExponentPushToken[{n}]" for n in range(count)]

    assert len(answer(judged(ExpoRules(), [{"to": tokens(100)}]))["data"]) == 100
    many = judged(ExpoRules(), [{"to": tokens(50)}, {"to": tokens(51)}])
    assert code(many) == (400, "PUSH_TOO_MANY_NOTIFICATIONS")
    assert len(many.devices) == 101


def test_projects_do_not_mix() -> None:
    rules = ExpoRules()
    rules.account.projects[B] = "@other/app"
    ruling = judged(rules, [{"to": [A, B]}])
    assert code(ruling) == (400, "PUSH_TOO_MANY_EXPERIENCE_IDS")
    assert answer(ruling)["errors"][0]["details"] == {PROJECT: [A], "@other/app": [B]}
    assert judged(rules, [{"to": [B]}]).instance == "@other/app"


def test_a_message_too_big_fails_alone() -> None:
    rules = ExpoRules()
    tickets = sent(rules, [{"to": A, "data": {"x": "y" * 5000}}, {"to": A, "body": "small"}])
    assert [ticket["status"] for ticket in tickets] == ["error", "ok"]
    assert tickets[0]["details"]["error"] == "MessageTooBig"


def test_compressed_bodies() -> None:
    packed = gzip.compress(json.dumps([{"to": A}]).encode())
    assert judged(ExpoRules(), packed, content_encoding="gzip").status == 200
    cut = judged(ExpoRules(), packed[:-9], content_encoding="gzip")
    assert code(cut) == (400, "VALIDATION_ERROR")
    junk = judged(ExpoRules(), b"junk", content_encoding="gzip")
    assert code(junk) == (400, "VALIDATION_ERROR")
    bomb = judged(ExpoRules(), gzip.compress(b" " * 10_000_000), content_encoding="gzip")
    assert code(bomb) == (413, "PAYLOAD_TOO_LARGE")
    other = judged(ExpoRules(), packed, content_encoding="br")
    assert code(other) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_who_may_send() -> None:
    open_to_all = ExpoRules(ExpoAccount(access_tokens={"mine"}))
    assert judged(open_to_all, [{"to": A}]).status == 200
    assert judged(open_to_all, [{"to": A}], authorization="Bearer mine").status == 200
    wrong = judged(open_to_all, [{"to": A}], authorization="Bearer other")
    assert code(wrong) == (401, "UNAUTHORIZED")
    odd = judged(open_to_all, [{"to": A}], authorization="Basic eA==")
    assert code(odd) == (401, "UNAUTHORIZED")
    secured = ExpoRules(ExpoAccount(access_tokens={"mine"}, secured=True))
    assert code(judged(secured, [{"to": A}])) == (401, "UNAUTHORIZED")


def test_other_addresses_and_forms() -> None:
    rules = ExpoRules()
    assert rules.judge(Call("GET", SEND), NOW).status == 404
    assert rules.judge(call([{"to": A}], "/other"), NOW).status == 404
    text = rules.judge(call([{"to": A}], content_type="text/plain"), NOW)
    assert code(text) == (400, "VALIDATION_ERROR")
    assert rules.judge(call([{"to": A}], SEND + "?useFcmV1=true"), NOW).status == 200


def test_receipts_come_late_are_lost_and_are_cleared() -> None:
    rules = ExpoRules(ExpoAccount(receipt_delay=60.0))
    ids = [ticket["id"] for ticket in sent(rules, [{"to": [A, B, "ExpoPushToken[c]"]}])]
    rules.account.lost.add(B)
    rules.account.receipt_errors["ExpoPushToken[c]"] = "MessageRateExceeded"
    assert asked(rules, ids, NOW + 59) == {}
    found = asked(rules, [*ids, "foreign"], NOW + 60)
    assert found.keys() == {ids[0], ids[2]}
    assert found[ids[0]] == {"status": "ok"}
    assert found[ids[2]]["details"]["error"] == "MessageRateExceeded"
    assert asked(rules, ids, NOW + 86_400) == {}


def test_a_thousand_receipts_and_no_more() -> None:
    rules = ExpoRules()
    assert rules.judge(call({"ids": ["x"] * 1000}, RECEIPTS), NOW).status == 200
    many = rules.judge(call({"ids": ["x"] * 1001}, RECEIPTS), NOW)
    assert code(many) == (400, "PUSH_TOO_MANY_RECEIPTS")
    junks: list[Any] = [{}, [], {"ids": "x"}, {"ids": [1]}]
    for junk in junks:
        assert code(rules.judge(call(junk, RECEIPTS), NOW)) == (400, "VALIDATION_ERROR")


def scripted(fault: Answer, said: Any = None) -> Ruling:
    rules = ExpoRules()
    request = call(said or [{"to": [A, B]}])
    return rules.scripted(request, rules.judge(request, NOW), fault)


def test_scripts_in_expos_words() -> None:
    refused = scripted(Answer(429, "TOO_MANY_REQUESTS", retry_after=7))
    assert code(refused) == (429, "TOO_MANY_REQUESTS")
    assert ("Retry-After", "7") in refused.headers
    gateway = scripted(Answer(502))
    assert (gateway.status, gateway.pushes) == (502, ())
    assert b"html" in gateway.body
    gone = scripted(Answer(200, "DeviceNotRegistered"))
    assert gone.pushes == ()
    assert {ticket["details"]["error"] for ticket in answer(gone)["data"]} == {
        "DeviceNotRegistered"
    }
    few = scripted(Answer(200, "TooFewTickets"))
    assert (len(answer(few)["data"]), len(few.pushes)) == (1, 2)
    both = scripted(Answer(200, "API_ERROR"))
    assert answer(both)["errors"][0]["code"] == "API_ERROR"
    taken = scripted(Answer(200), [{"to": ["junk"]}, {"to": A}])
    assert taken.status == 200


def test_a_script_takes_what_was_refused() -> None:
    rules = ExpoRules(ExpoAccount(secured=True))
    rules.account.projects[B] = "@other/app"
    rules.account.secured = False
    request = call([{"to": [A, B]}])
    taken = rules.scripted(request, rules.judge(request, NOW), Answer(200))
    assert [device for device, _ in taken.pushes] == [A, B]
    assert len(answer(taken)["data"]) == 2


@given(st.binary(max_size=300), st.sampled_from([SEND, RECEIPTS]), st.booleans())
def test_no_body_breaks_it(body: bytes, target: str, packed: bool) -> None:
    headers = {"content_encoding": "gzip"} if packed else {}
    ruling = ExpoRules().judge(call(body, target, **headers), NOW)
    assert ruling.status in (200, 400)


@pytest.mark.parametrize(
    "content",
    [
        Content(title="t", subtitle="s", body="b", badge=1, sound="x.wav", data={"a": 1}),
        Content(data={"a": 1}),
        Content(title="t", image="https://a/i.png", url="https://a/", category="c", thread="t"),
        Content(title="t", interruption=Interruption.CRITICAL, ttl=0, collapse_key="k"),
        Content(data={"a": 1}, form=Form.BACKGROUND),
    ],
)
def test_what_our_codec_says_is_taken(content: Content) -> None:
    codec = Expo().codec("expo", {"channel_id": "c", "access_token": "mine"})
    made = codec.compile(content, Occasion("n1", NOW), codec.mint(NOW))
    assert isinstance(made, ExpoParcels)
    targets = [Target(n, f"ExponentPushToken[{n}]", NOW) for n in range(150)]
    rules = ExpoRules(ExpoAccount(access_tokens={"mine"}, secured=True))
    for parcel in made.pack(targets):
        request = parcel.request
        target = request.url.removeprefix("https://exp.host:443")
        ruling = rules.judge(Call("POST", target, request.headers, request.body), NOW)
        assert ruling.status == 200, ruling.body
        assert len(ruling.pushes) == len(parcel.places)
