"""APNs: the exact bytes that travel, and which settings and device tokens are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain.content import Content, Interruption, Priority
from booper.domain.delivery import Target
from booper.domain.outcome import Kind, Outcome
from booper.providers.apns import LIMIT, Apns, CompiledApns
from booper.providers.provider import Occasion
from booper.simulators.apns import generate_key

if TYPE_CHECKING:
    from booper.wire import Template

NOW = 1_800_000_000.0
ID = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
KEY = generate_key()
SETTINGS: dict[str, object] = {
    "key_id": "KEY1234567",
    "team_id": "TEAM123456",
    "topic": "com.example.app",
    "private_key": KEY.private_key_pem,
}
TARGET = Target(7, "ab" * 32, NOW)


CODEC = Apns().codec("main", SETTINGS)


def sent(content: Content, ttl_from: float = NOW) -> tuple[Template, bytes, dict[bytes, bytes]]:
    """Template, body and headers of what would go out."""
    compiled = CODEC.compile(content, Occasion(ID, ttl_from), CODEC.mint(NOW))
    assert isinstance(compiled, CompiledApns), compiled
    (stamp,) = compiled.stamps([TARGET])
    headers = dict(compiled.template.headers)
    assert headers.pop(b"authorization").startswith(b"bearer ey")
    return compiled.template, stamp[2], headers


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (
            Content(title="Hi", body="there"),
            b'{"aps":{"alert":{"title":"Hi","body":"there"},"sound":"default"}}',
        ),
        (
            Content(
                title="Tür",
                subtitle="s",
                body="b",
                badge=0,
                sound="ping.caf",
                data={"a": [1, None]},
                image="https://e.example/i.png",
                url="https://e.example/",
                category="c",
                thread="t",
                interruption=Interruption.TIME_SENSITIVE,
            ),
            '{"image":"https://e.example/i.png","url":"https://e.example/","a":[1,null],'
            '"aps":{"alert":{"title":"Tür","subtitle":"s","body":"b"},"sound":"ping.caf",'
            '"badge":0,"category":"c","thread-id":"t","interruption-level":"time-sensitive",'
            '"mutable-content":1}}'.encode(),
        ),
        (Content(data={"a": 1}), b'{"a":1,"aps":{"content-available":1}}'),
        (Content(badge=3), b'{"aps":{"badge":3}}'),
        (Content(data={"a": 1}, sound="x"), b'{"a":1,"aps":{"sound":"x"}}'),
        (
            Content(title="t", data={"aps": {"alert": "forged"}, "url": "mine"}, url="theirs"),
            b'{"url":"mine","aps":{"alert":{"title":"t"},"sound":"default"}}',
        ),
    ],
)
def test_payloads_are_exactly_these_bytes(content: Content, body: bytes) -> None:
    named = f'{{"notification_id":"{ID}",'.encode()
    assert sent(content)[1] == named + body[1:]


ALERT = {
    b"apns-topic": b"com.example.app",
    b"apns-push-type": b"alert",
    b"apns-priority": b"10",
    b"apns-expiration": b"1800086400",
    b"apns-collapse-id": ID.encode(),
}
SILENT = {
    b"apns-topic": b"com.example.app",
    b"apns-push-type": b"background",
    b"apns-priority": b"5",
    b"apns-expiration": b"1800086400",
}


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (Content(title="t"), ALERT),
        (Content(badge=1), ALERT),
        (Content(title="t", priority=Priority.NORMAL), ALERT | {b"apns-priority": b"5"}),
        (Content(title="t", ttl=0), ALERT | {b"apns-expiration": b"0"}),
        (Content(title="t", ttl=60), ALERT | {b"apns-expiration": b"1800000060"}),
        (Content(title="t", collapse_key="score"), ALERT | {b"apns-collapse-id": b"score"}),
        (Content(data={"a": 1}), SILENT),
        (Content(data={"a": 1}, priority=Priority.HIGH, collapse_key="x"), SILENT),
    ],
)
def test_headers_are_exactly_these(content: Content, headers: dict[bytes, bytes]) -> None:
    template, _, found = sent(content)
    assert found == headers
    assert (template.method, template.path) == (b"POST", b"/3/device/")
    assert template.authority == b"api.push.apple.com:443"
    assert template.stamped == (b"apns-id",)


def test_a_stamp_brings_the_device_and_an_id_that_is_the_same_in_every_try() -> None:
    compiled = CODEC.compile(Content(title="t"), Occasion(ID, NOW), CODEC.mint(NOW))
    assert isinstance(compiled, CompiledApns)
    targets = [TARGET, Target(2**48 - 1, "cd" * 64, NOW)]
    stamps = compiled.stamps(targets)
    assert [(path, ids) for path, ids, _ in stamps] == [
        (b"ab" * 32, (b"0190a1b2-c3d4-7e5f-8a9b-000000000007",)),
        (b"cd" * 64, (b"0190a1b2-c3d4-7e5f-8a9b-ffffffffffff",)),
    ]
    assert compiled.stamps(targets) == stamps
    assert stamps[0][2] is stamps[1][2], "one body serves all"


def test_the_limit_counts_the_whole_payload() -> None:
    frame = len(sent(Content(data={"x": ""}))[1])
    assert len(sent(Content(data={"x": "y" * (LIMIT - frame)}))[1]) == LIMIT == 4096
    over = Content(data={"x": "y" * (LIMIT - frame + 1)})
    refused = CODEC.compile(over, Occasion(ID, NOW), CODEC.mint(NOW))
    assert isinstance(refused, Outcome)
    assert (refused.kind, refused.status) == (Kind.FAILED, 413)
    wide = CODEC.compile(Content(body="ü" * 2048), Occasion(ID, NOW), CODEC.mint(NOW))
    assert isinstance(wide, Outcome), "bytes count, not characters"


def test_the_provider_token_is_what_apple_verifies() -> None:
    access = CODEC.mint(NOW + 0.9)
    text = access.text.reveal()
    assert jwt.get_unverified_header(text) == {"alg": "ES256", "kid": "KEY1234567", "typ": "JWT"}
    claims = jwt.decode(
        text, KEY.team_key.public_key_pem, algorithms=["ES256"], options={"verify_iat": False}
    )
    assert claims == {"iss": "TEAM123456", "iat": 1_800_000_000}
    assert 20 * 60 <= access.renew_at - access.minted_at <= 60 * 60, "Apple's window"
    assert text not in repr(access)


def test_a_young_token_is_renewed_only_if_it_has_expired() -> None:
    invalid, old = Outcome(Kind.REFUSED, 403, "InvalidProviderToken"), 1200.0
    assert CODEC.renewable(Outcome(Kind.REFUSED, 403, "ExpiredProviderToken"), 0.0)
    assert not CODEC.renewable(invalid, old - 1)
    assert CODEC.renewable(invalid, old)
    too_many = Outcome(Kind.REFUSED, 429, "TooManyProviderTokenUpdates")
    assert not CODEC.renewable(too_many, 1e9), "the old one is kept; another would prolong it"


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=5))
def test_what_the_app_sends_along_arrives_and_never_replaces_aps(data: dict[str, Any]) -> None:
    body = msgspec.json.decode(sent(Content(title="t", data=data))[1])
    assert body.pop("aps") == {"alert": {"title": "t"}, "sound": "default"}
    own = {key: value for key, value in data.items() if key != "aps"}
    assert body == {"notification_id": ID, **own}
