"""Web Push: what goes on the wire for each subscription, and which settings are taken."""

from __future__ import annotations

import json
from typing import Any

import http_ece
import msgspec
import pytest

from booper.domain.content import Content, Form, Interruption, Priority
from booper.domain.delivery import Target
from booper.domain.errors import Invalid
from booper.domain.outcome import Kind, Outcome
from booper.providers import PROVIDERS, base64url, ece
from booper.providers.provider import Occasion, Parcel, Unsendable
from booper.providers.webpush import CompiledWebPush, WebPush, WebPushCodec, topic
from booper.wire import Reply
from tests.booper.providers.keys import P256, pem
from tests.booper.providers.test_ece import AGENT, AUTH, POINT, SALT, SENDER, key

OCCASION = Occasion("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", 1_800_000_000.0)
NOW = 1_800_000_100.0


def device(endpoint: str = "https://push.example.net/s/1") -> str:
    auth = base64url.encoded(AUTH)
    whole = {"endpoint": endpoint, "keys": {"auth": auth, "p256dh": POINT}}
    return json.dumps(whole, separators=(",", ":"))


def codec(**table: object) -> WebPushCodec:
    whole = {"private_key": pem(P256), "subject": "mailto:ops@example.com", **table}
    return WebPush().codec("web", whole)


def compiled(content: Content, own: WebPushCodec | None = None) -> CompiledWebPush:
    own = own or codec()
    made = own.compile(content, OCCASION, own.mint(NOW))
    assert isinstance(made, CompiledWebPush)
    return made


def packed(made: CompiledWebPush, *tokens: str) -> list[Parcel | Unsendable]:
    return list(made.pack([Target(n, text, 0.0) for n, text in enumerate(tokens)]))


def said(content: Content) -> dict[str, Any]:
    """What the user agent decrypts."""
    (parcel,) = packed(compiled(content), device())
    assert isinstance(parcel, Parcel)
    found: dict[str, Any] = json.loads(ece.decrypt(parcel.request.body, key(AGENT), AUTH))
    return found


def test_a_golden_request() -> None:
    fixed = WebPush(once=lambda: ece.Once(key(SENDER), SALT))
    own = fixed.codec("web", {"private_key": pem(P256), "subject": "https://example.com"})
    content = Content(title="Hi", body="There", ttl=60, priority=Priority.NORMAL)
    (parcel,) = packed(compiled(content, own), device())
    assert isinstance(parcel, Parcel)
    assert parcel.places == (0,)
    request = parcel.request
    assert (request.method, request.url) == ("POST", "https://push.example.net/s/1")
    headers = dict(request.headers)
    vapid = headers.pop("authorization")
    assert vapid == own.vapid.authorization("https://push.example.net", NOW)
    assert headers == {
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        "ttl": "60",
        "urgency": "normal",
        "topic": "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b",
    }
    notification = b'"title":"Hi","body":"There","tag":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"'
    plaintext = b'{"id":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","notification":{%b}}' % notification
    by = ece.Once(key(SENDER), SALT)
    assert request.body == ece.encrypt(plaintext, ece.receiver(base64url.decoded(POINT), AUTH), by)
    read = http_ece.decrypt(request.body, private_key=key(AGENT), auth_secret=AUTH)
    assert read == plaintext


def test_a_declarative_message() -> None:
    content = Content(
        title="Payment",
        subtitle="Due today",
        body="€ 20",
        url="https://shop.example/pay/1",
        image="https://shop.example/1.png",
        badge=3,
        data={"order": 7},
        category="pay",
        thread="orders",
        collapse_key="order 7",
        interruption=Interruption.PASSIVE,
    )
    assert said(content) == {
        "web_push": 8030,
        "id": OCCASION.id,
        "notification": {
            "title": "Payment",
            "subtitle": "Due today",
            "body": "€ 20",
            "navigate": "https://shop.example/pay/1",
            "image": "https://shop.example/1.png",
            "app_badge": 3,
            "data": {"order": 7},
            "category": "pay",
            "thread": "orders",
            "tag": "order 7",
            "silent": True,
        },
    }


@pytest.mark.parametrize(
    "content",
    [
        Content(title="no address"),
        Content(body="no title", url="https://shop.example/"),
        Content(title="a path", url="/orders/7"),
    ],
)
def test_what_would_be_no_declarative_message_is_not_marked_as_one(content: Content) -> None:
    assert list(said(content)) == ["id", "notification"]


def test_data_alone_and_names_of_texts() -> None:
    data = {"k": [1, None]}
    assert said(Content(data=data)) == {"id": OCCASION.id, "notification": {"data": data}}
    own = said(Content(title_loc_key="GREETING", title_loc_args=("Ann",)))["notification"]
    assert (own["title_loc_key"], own["title_loc_args"]) == ("GREETING", ["Ann"])
    assert said(Content(badge=0))["notification"]["app_badge"] == 0


def test_raw_has_the_last_word_on_the_payload() -> None:
    patch = {"notification": {"title": None, "actions": [{"action": "a"}]}, "extra": 1}
    own = said(Content(title="gone", body="stays", raw={"webpush": patch, "fcm": {"x": 1}}))
    assert own["extra"] == 1
    assert own["notification"]["body"] == "stays"
    assert own["notification"]["actions"] == [{"action": "a"}]
    assert "title" not in own["notification"]


@pytest.mark.parametrize(
    ("content", "urgency"),
    [
        (Content(title="x"), "high"),
        (Content(title="x", priority=Priority.NORMAL), "normal"),
        (Content(title="x", interruption=Interruption.PASSIVE), "low"),
        (Content(title="x", form=Form.VOIP), "high"),
    ],
)
def test_urgency(content: Content, urgency: str) -> None:
    (parcel,) = packed(compiled(content), device())
    assert isinstance(parcel, Parcel)
    assert dict(parcel.request.headers)["urgency"] == urgency


@pytest.mark.parametrize("collapse", [None, "order-7", "x" * 64, "ümläut", "a b"])
def test_a_topic_is_32_characters_and_tells_nothing(collapse: str | None) -> None:
    own = topic(Content(title="x", collapse_key=collapse), OCCASION)
    assert len(own) == 32
    assert set(own) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert collapse is None or collapse not in own
    assert own == topic(Content(body="y", collapse_key=collapse), OCCASION)
    assert own != topic(Content(collapse_key="other"), OCCASION)


def test_the_limit_counts_what_is_encrypted() -> None:
    own = codec()
    empty = {"id": OCCASION.id, "notification": {"body": "", "tag": OCCASION.id}}
    room = 3993 - len(msgspec.json.encode(empty))
    (parcel,) = packed(compiled(Content(body="x" * room), own), device())
    assert isinstance(parcel, Parcel)
    assert len(parcel.request.body) == 4096
    large = own.compile(Content(body="x" * (room + 1)), OCCASION, own.mint(NOW))
    assert isinstance(large, Outcome)
    assert (large.kind, large.status) == (Kind.FAILED, 413)
    raw = {"webpush": {"more": "y" * 4000}}
    assert isinstance(own.compile(Content(raw=raw), OCCASION, own.mint(NOW)), Outcome)


def test_live_activities_fail() -> None:
    outcome = codec().compile(Content(form=Form.LIVE_ACTIVITY), OCCASION, codec().mint(NOW))
    assert isinstance(outcome, Outcome)
    assert outcome.kind is Kind.FAILED


def test_each_device_is_encrypted_for_alone_and_each_origin_signed_for_once() -> None:
    tokens = [device(f"https://{host}.example/{n}") for n in range(3) for host in ("a", "b")]
    parcels = packed(compiled(Content(title="x")), *tokens)
    requests = [parcel.request for parcel in parcels if isinstance(parcel, Parcel)]
    assert [parcel.places for parcel in parcels if isinstance(parcel, Parcel)] == [
        (n,) for n in range(6)
    ]
    assert len({request.body[:86] for request in requests}) == 6
    assert len({dict(request.headers)["authorization"] for request in requests}) == 2


def test_hosts_that_are_not_allowed_get_nothing() -> None:
    own = codec(allowed_endpoints=["*.push.apple.com", "fcm.googleapis.com"])
    tokens = [
        "https://web.push.apple.com/x",
        "https://FCM.googleapis.com/fcm/send/x",
        "https://evil.example/x.push.apple.com/",
        "https://evil.example/?fcm.googleapis.com",
        "https://push.apple.com.evil.example/",
        "https://fcm.googleapis.com.evil.example/",
        "https://xfcm.googleapis.com/",
    ]
    items = packed(compiled(Content(title="x"), own), *map(device, tokens))
    assert [isinstance(item, Parcel) for item in items] == [True, True] + [False] * 5
    for place, item in enumerate(items[2:], 2):
        assert isinstance(item, Unsendable)
        assert (item.place, item.outcome.kind) == (place, Kind.FAILED)


@pytest.mark.parametrize("junk", ["", "{}", "ab" * 32, device("http://x.example/")])
def test_a_stored_subscription_that_is_none_fails_alone(junk: str) -> None:
    items = packed(compiled(Content(title="x")), device(), junk, device())
    assert [type(item) for item in items] == [Parcel, Unsendable, Parcel]


def test_a_refusal_is_read_in_the_light_of_what_others_said() -> None:
    own = codec()
    made = compiled(Content(title="x"), own)
    apple = "https://web.push.apple.com"
    parcels = packed(made, device(f"{apple}/1"), device(f"{apple}/2"), device("https://me.example"))
    good, bad, stranger = [parcel for parcel in parcels if isinstance(parcel, Parcel)]
    no = Reply(403, (), b"")
    (first,) = made.read(bad, no)
    assert first.kind is Kind.REFUSED
    assert not own.renewable(first, 10.0)
    assert own.renewable(first, 100.0)
    assert made.read(stranger, no)[0].kind is Kind.RETRY
    (taken,) = made.read(good, Reply(201, ((b"location", b"/m/1"),), b""))
    assert taken == Outcome(Kind.ACCEPTED, 201, provider_id="/m/1")
    assert made.read(bad, no)[0].kind is Kind.FAILED


def test_nothing_secret_is_shown() -> None:
    own = codec()
    (parcel,) = packed(compiled(Content(title="x"), own), device("https://a.example/secret"))
    assert "secret" not in repr(parcel)
    assert "vapid" not in repr(parcel)
    assert "PRIVATE" not in repr(vars(own))


def test_a_device_token_is_a_subscription() -> None:
    provider = PROVIDERS["webpush"]
    loose = json.dumps({"expirationTime": None, **json.loads(device())}, indent=1)
    assert provider.device_token(loose) == device()
    with pytest.raises(Invalid) as refused:
        provider.device_token(device("http://push.example.net/"))
    assert refused.value.pointer == "/device_token/endpoint"
