"""Web Push: which settings are taken, and what follows from them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from booper.domain.errors import Misconfigured
from booper.providers import base64url
from booper.providers.webpush import WebPush
from tests.booper.providers.keys import P256, P384, pem
from tests.booper.providers.test_webpush import codec


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"private_key": "junk"}, "invalid_key"),
        ({"private_key": pem(P384)}, "wrong_curve"),
        ({"subject": "nobody"}, "bad_subject"),
        ({"subject": 5}, "invalid_settings"),
        ({"allowed_endpoints": ["https://a.example/*"]}, "invalid_settings"),
        ({"allowed_endpoints": ["[a-z].example"]}, "invalid_settings"),
        ({"allowed_endpoints": [""]}, "invalid_settings"),
        ({"unknown": 1}, "invalid_settings"),
        ({"max_connections": 0}, "invalid_settings"),
    ],
)
def test_settings_that_cannot_be_used(change: dict[str, object], code: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        codec(**change)
    assert refused.value.code == code
    assert "instances.web" in refused.value.detail


def test_key_and_subject_must_be_there() -> None:
    with pytest.raises(Misconfigured) as refused:
        WebPush().codec("web", {})
    assert refused.value.code == "missing_settings"
    assert "private_key, subject" in refused.value.detail


def test_from_the_environment_hosts_come_as_one_text() -> None:
    own = codec(allowed_endpoints="a.example, *.b.example", max_connections="3")
    assert own.allowed == ("a.example", "*.b.example")
    assert own.outlet.max_connections == 3
    assert own.outlet.guarded


def test_a_key_on_the_right_curve_makes_the_public_key() -> None:
    point = base64url.decoded(codec().vapid.public_key)
    assert ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point) == P256.public_key()


@pytest.mark.parametrize(
    ("allowed", "origin", "known"),
    [
        ([], "https://fcm.googleapis.com", True),
        ([], "https://updates.push.services.mozilla.com", True),
        ([], "https://db5p.notify.windows.com", True),
        ([], "https://web.push.apple.com:8443", True),
        ([], "https://push.apple.com.evil.example", False),
        ([], "https://evilpush.apple.com", False),
        (["*.mine.example"], "https://up.mine.example", True),
        (["*.mine.example"], "https://fcm.googleapis.com", False),
    ],
)
def test_who_may_speak_against_our_key(allowed: list[str], origin: str, known: bool) -> None:
    assert codec(allowed_endpoints=allowed).known(origin) is known
