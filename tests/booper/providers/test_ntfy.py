"""ntfy's codec: golden requests, limits, what is shown to whom, and settings."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
import pytest

from booper.domain.content import Content, Form, Interruption, Priority
from booper.domain.delivery import Target
from booper.domain.errors import Invalid, Misconfigured
from booper.domain.outcome import Kind, Outcome
from booper.providers import codec, provider_named
from booper.providers.ntfy import Ntfy, NtfyCodec
from booper.providers.provider import Occasion, Parcel, ParcelCodec, Unsendable
from booper.wire import Lost, Reply

ID = "019aa5c1-7f1a-7000-8000-000000000001"
OCCASION = Occasion(ID, 1_800_000_000.0)
ENDPOINT = "https://push.example/up123?up=1"


def made(**settings: object) -> NtfyCodec:
    settings.setdefault("url", "https://ntfy.example")
    return Ntfy().codec("main", settings)


def packed(content: Content, *tokens: str, **settings: object) -> list[Parcel | Unsendable]:
    own = made(**settings)
    compiled = own.compile(content, OCCASION, own.mint(0.0))
    assert not isinstance(compiled, Outcome)
    return list(compiled.pack([Target(n, token, 0.0) for n, token in enumerate(tokens)]))


def request(content: Content, token: str = "news", **settings: object) -> Any:
    (item,) = packed(content, token, **settings)
    assert isinstance(item, Parcel), item
    assert item.places == (0,)
    return item.request


def said(content: Content) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(request(content).body)
    return found


def failed(content: Content, token: str = "news") -> Outcome:
    (item,) = packed(content, token)
    assert isinstance(item, Unsendable)
    assert item.outcome.kind is Kind.FAILED
    return item.outcome


def test_golden_topic() -> None:
    content = Content(
        title="Backup done",
        subtitle="nightly",
        body="42 GB in 3 minutes",
        url="https://example.org/log",
        image="https://example.org/graph.png",
        category="disk",
        badge=3,
        sound="default",
        data={"ignored": 1},
    )
    found = request(content, access_token="tk_secret")
    assert (found.method, found.url) == ("POST", "https://ntfy.example/")
    assert found.headers == (
        ("Content-Type", "application/json"),
        ("Authorization", "Bearer tk_secret"),
    )
    assert found.body == (
        b'{"topic":"news","title":"Backup done","message":"nightly\\n42 GB in 3 minutes",'
        b'"priority":4,"tags":["disk"],"click":"https://example.org/log",'
        b'"attach":"https://example.org/graph.png",'
        b'"sequence_id":"019aa5c1-7f1a-7000-8000-000000000001"}'
    )
    assert "tk_secret" not in repr(found)


def test_golden_endpoint() -> None:
    content = Content(title="Hi", body="there", data={"a": [1]}, ttl=60, priority=Priority.NORMAL)
    found = request(content, ENDPOINT, access_token="tk_secret")
    assert (found.method, found.url) == ("POST", ENDPOINT)
    assert ("X-UnifiedPush", "1") in found.headers
    assert ("Content-Type", "application/octet-stream") in found.headers
    assert ("TTL", "60") in found.headers
    assert "tk_secret" not in str(found.headers), "a stranger is shown no key"
    assert msgspec.json.decode(found.body) == {
        "id": ID,
        "title": "Hi",
        "body": "there",
        "data": {"a": [1]},
        "priority": "normal",
    }


def test_our_own_server_is_shown_the_key_and_asked_for_topics_only() -> None:
    own = "https://ntfy.example/up123?up=1"
    shown = ("Authorization", "Basic " + b64encode("phil:pä:ss".encode()).decode())
    assert shown in request(Content(title="x"), own, user="phil", password="pä:ss").headers
    for path in ("v1/account", "a/b", "", "?up=1", "%2e%2e", "a%2fb"):
        assert failed(Content(title="x"), f"https://ntfy.example/{path}").status == 400
    foreign = "https://ntfy.example.org/up1", "https://ntfy.example:8443/up1"
    for url in foreign:
        assert shown not in request(Content(title="x"), url, user="phil", password="pä:ss").headers


@pytest.mark.parametrize(
    ("server", "endpoint"),
    [
        ("https://ntfy.example", "https://NTFY.example/v1/account"),
        ("https://ntfy.example", "https://ntfy.example:443/v1/account"),
        ("https://ntfy.example", "https://ntfy.example:0443/v1/account"),
        ("https://ntfy.example", "https://ntfy\u3002example/v1/account"),
        ("https://bücher.example", "https://xn--bcher-kva.example/v1/account"),
        ("https://[::1]:8443", "https://[0:0:0:0:0:0:0:1]:8443/v1/account"),
        ("http://localhost:8443", "https://localhost:8443/v1/account"),
    ],
)
def test_no_spelling_of_our_own_server_gets_past_the_guard(server: str, endpoint: str) -> None:
    """Its host and port are trusted, so nothing but its topics may be called there."""
    (item,) = packed(Content(title="x"), endpoint, url=server)
    assert isinstance(item, Unsendable)
    topic = endpoint.replace("v1/account", "up1")
    (item,) = packed(Content(title="x"), topic, url=server, access_token="tk")
    assert isinstance(item, Parcel)
    assert ("Authorization", "Bearer tk") in item.request.headers


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (Content(title="only"), {"message": "only"}),
        (Content(body="only"), {"message": "only"}),
        (Content(data={"a": 1}), {"message": '{"a":1}'}),
        (Content(title="t", subtitle="s"), {"title": "t", "message": "s"}),
        (Content(body="b", priority=Priority.NORMAL), {"message": "b", "priority": 3}),
        (Content(body="b", interruption=Interruption.PASSIVE), {"message": "b", "priority": 2}),
        (Content(body="b", interruption=Interruption.CRITICAL), {"message": "b", "priority": 5}),
        (Content(body="b", form=Form.VOIP), {"message": "b", "priority": 5}),
        (Content(body="b", collapse_key="night"), {"message": "b", "sequence_id": "night"}),
        (
            Content(body="b", raw={"ntfy": {"markdown": True, "priority": None}}),
            {"message": "b", "markdown": True, "priority": None},
        ),
        (Content(raw={"ntfy": {"message": "raw"}}), {"message": "raw"}),
        (Content(body="b", raw={"apns": {"message": "raw"}}), {"message": "b"}),
    ],
)
def test_fields(content: Content, expected: dict[str, Any]) -> None:
    basis = {"topic": "news", "priority": 4, "sequence_id": ID}
    if content.actual_form is Form.BACKGROUND:
        assert content.data or content.raw
    wanted = {key: value for key, value in {**basis, **expected}.items() if value is not None}
    assert said(content) == wanted


def test_a_collapse_key_that_is_no_name_becomes_one() -> None:
    first = said(Content(body="b", collapse_key="a b/c"))["sequence_id"]
    assert first == said(Content(body="x", collapse_key="a b/c"))["sequence_id"]
    assert first != said(Content(body="x", collapse_key="a b/d"))["sequence_id"]
    assert len(first) == 32


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (Content(body="ü" * 2049), 413, "4098 bytes"),
        (
            Content(body="b", url="https://x.org/" + "u" * 2000, raw={"ntfy": {"x": "y" * 7000}}),
            413,
            "JSON",
        ),
        (Content(badge=1), 400, "no text"),
        (Content(loc_key="HELLO"), 400, "by key"),
        (Content(body="b", raw={"ntfy": {"message": None}}), 400, "no text"),
        (Content(body="b", raw={"ntfy": {"message": 5}}), 400, "no text"),
        (Content(body="b", raw={"ntfy": {"topic": "other"}}), 400, "topic"),
    ],
)
def test_what_ntfy_would_never_take(content: Content, status: int, words: str) -> None:
    outcome = failed(content)
    assert outcome.status == status
    assert words in outcome.reason


def test_limits_are_met_exactly() -> None:
    assert request(Content(body="x" * 4096))
    frame = len(request(Content(body="x"), ENDPOINT).body) - 1
    assert len(request(Content(body="x" * (4096 - frame)), ENDPOINT).body) == 4096
    assert failed(Content(body="x" * (4097 - frame)), ENDPOINT).status == 413


def test_a_message_that_no_topic_takes_still_reaches_an_endpoint() -> None:
    items = packed(Content(badge=1), "news", ENDPOINT)
    assert isinstance(items[0], Unsendable)
    assert isinstance(items[1], Parcel)


def test_a_live_activity_is_apples() -> None:
    content = msgspec.convert(
        {"form": "live_activity", "live_activity": {"event": "end", "timestamp": 1}}, Content
    )
    own = made()
    outcome = own.compile(content, OCCASION, own.mint(0.0))
    assert isinstance(outcome, Outcome)
    assert outcome.kind is Kind.FAILED


def test_answers_are_read_by_whose_server_it_is() -> None:
    own = made(access_token="tk_x")
    compiled = own.compile(Content(title="x"), OCCASION, own.mint(0.0))
    assert not isinstance(compiled, Outcome)
    targets = [Target(0, "news", 0.0), Target(1, ENDPOINT, 0.0)]
    ours, foreign = (item for item in compiled.pack(targets) if isinstance(item, Parcel))
    refused = Reply(401, (), b'{"code":40101}')
    (outcome,) = compiled.read(ours, refused)
    assert outcome.kind is Kind.REFUSED
    assert not own.renewable(outcome, 1e9)
    assert compiled.read(foreign, refused)[0].kind is Kind.FAILED
    assert compiled.read(ours, Lost(sent=True, reason="reset"))[0].maybe_sent


@pytest.mark.parametrize("text", ["news", "a", "_-9", "x" * 64, ENDPOINT, "https://[::1]:8443/a"])
def test_device_tokens(text: str) -> None:
    provider = Ntfy()
    assert provider.device_token(text) == text
    assert provider.address(text) == ((text, "") if "/" in text else None)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a b", "ä", "x" * 65, "a/b", "../a", "news\n", 'a","x":"', "https:///a"),
        *("http://push.example/a", "https://push.example", "https://u@push.example/a"),
        *("https://push.example/a#b", "https://push.example/a b", "https://push.example/\n"),
        *("https://push.example\\@x/a", "https://push.example/ü"),
        "https://push.example/" + "a" * 2001,
    ],
)
def test_what_is_no_device_token(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        Ntfy().device_token(text)
    assert refused.value.code == "invalid_device_token"


@pytest.mark.parametrize(
    ("settings", "code_"),
    [
        ({"url": "ntfy.example"}, "invalid_url"),
        ({"url": "ftp://ntfy.example"}, "invalid_url"),
        ({"url": "https://ntfy.example/path"}, "invalid_url"),
        ({"url": "https://u:p@ntfy.example"}, "invalid_url"),
        ({"url": "https://ntfy.example:x"}, "invalid_url"),
        ({"url": "https://ntfy.example\n"}, "invalid_url"),
        ({"url": "https://[::1"}, "invalid_url"),
        ({"url": 1}, "invalid_settings"),
        ({"user": "phil"}, "missing_settings"),
        ({"password": "x"}, "missing_settings"),
        ({"user": "a:b", "password": "x"}, "invalid_settings"),
        ({"access_token": "a", "user": "b", "password": "c"}, "invalid_settings"),
        ({"access_token": ""}, "bad_access_token"),
        ({"access_token": "a\r\nX: y"}, "bad_access_token"),
        ({"access_token": "schlüssel"}, "bad_access_token"),
        ({"colour": "red"}, "invalid_settings"),
        ({"max_connections": 0}, "invalid_settings"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], code_: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        codec("main", {"provider": "ntfy", **settings}, 0.0)
    assert refused.value.code == code_
    assert "instances.main" in refused.value.detail
    assert "schl" not in refused.value.detail


def test_settings_and_outlet() -> None:
    own = codec("main", {"provider": "ntfy", "max_connections": "3"}, 0.0)
    assert isinstance(own, ParcelCodec)
    assert own.outlet.trusted == (("ntfy.sh", 443),)
    assert (own.outlet.guarded, own.outlet.max_connections) == (True, 3)
    assert made(url="http://Bücher.example/").outlet.trusted == (("xn--bcher-kva.example", 80),)
    assert made(url="https://[::1]:8443").outlet.trusted == (("::1", 8443),)
    assert provider_named("ntfy").name == "ntfy"


def test_the_codec_shows_no_secret() -> None:
    own = made(access_token="tk_canary")
    compiled = own.compile(Content(title="x"), OCCASION, own.mint(0.0))
    assert not isinstance(compiled, Outcome)
    shown = repr([own, vars(own), own.mint(0.0), compiled, own.outlet])
    assert "canary" not in shown
