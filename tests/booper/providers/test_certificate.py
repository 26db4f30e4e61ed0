"""APNs by certificate: what is read in one, and every way in which it can be the wrong one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st

from booper.domain.content import Content
from booper.domain.errors import Misconfigured
from booper.domain.live_activity import Event, LiveActivity
from booper.domain.outcome import Kind, Outcome
from booper.providers import codec
from booper.providers.apns import ApnsCodec
from booper.providers.certificate import DEVELOPMENT, PRODUCTION, TOPICS, topics
from booper.providers.provider import Occasion
from booper.simulators.apns import generate_certificate
from booper.simulators.certificates import Authority
from tests.booper.providers.keys import P256, RSA, pem

AUTHORITY = Authority()
FROM = datetime(2026, 1, 1, tzinfo=UTC)
NOW = FROM.timestamp() + 86_400
GOOD = generate_certificate(AUTHORITY, good_from=FROM)
SETTINGS: dict[str, object] = {
    "provider": "apns",
    "topic": "com.example.app",
    "certificate": GOOD.pem,
    "private_key": GOOD.private_key_pem,
}


def made(now: float = NOW, **changes: Any) -> ApnsCodec:
    table = {key: value for key, value in (SETTINGS | changes).items() if value is not None}
    found = codec("main", table, now)
    assert isinstance(found, ApnsCodec)
    return found


def of_kind(**issue: Any) -> dict[str, str]:
    """A certificate of another kind with its key."""
    issued = generate_certificate(AUTHORITY, good_from=FROM, **issue)
    return {"certificate": issued.pem, "private_key": issued.private_key_pem}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"certificate": GOOD.private_key_pem + GOOD.pem, "private_key": None},
        {"certificate": GOOD.pem + AUTHORITY.pem},
        {"environment": "sandbox"},
        of_kind(kinds=()),
        of_kind(environments=()),
        of_kind(environments=(PRODUCTION,)),
        of_kind(environments=(DEVELOPMENT,)) | {"environment": "sandbox"},
        of_kind(bundle=""),
        of_kind(bundle="com.example.app.voip", kinds=()),
    ],
)
def test_a_certificate_that_fits_is_shown_in_tls_instead_of_a_token(
    changes: dict[str, Any],
) -> None:
    own = made(**changes)
    shown = own.endpoint.certificate
    assert shown is not None
    assert (shown.not_before, shown.not_after) == (NOW - 86_400, NOW + 395 * 86_400)
    assert not own.endpoint.one_stream_start
    access = own.mint(NOW)
    assert (access.text.reveal(), access.renew_at) == ("", float("inf"))
    assert not own.renewable(Outcome(Kind.REFUSED, 403, "ExpiredProviderToken"), 1e9)
    compiled = own.compile(Content(title="t"), Occasion("0" * 36, NOW), access)
    assert not isinstance(compiled, Outcome)
    assert b"authorization" not in dict(compiled.template.headers)
    assert "PRIVATE" not in repr(own.endpoint)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"certificate": "SECRET"}, "bad_certificate"),
        ({"certificate": ""}, "bad_certificate"),
        ({"certificate": "\ud800"}, "bad_certificate"),
        ({"certificate": GOOD.pem[:300]}, "bad_certificate"),
        ({"certificate": GOOD.pem.replace("A", "B")}, "bad_certificate"),
        ({"certificate": base64.b64encode(b"\x30\x82SECRET").decode()}, "bad_certificate"),
        ({"certificate": 5}, "invalid_settings"),
        ({"private_key": None}, "missing_settings"),
        ({"topic": None}, "missing_settings"),
        ({"private_key": "SECRET"}, "invalid_key"),
        ({"private_key": pem(RSA, password=b"SECRET")}, "invalid_key"),
        ({"private_key": pem(RSA)}, "certificate_key_mismatch"),
        ({"private_key": pem(P256)}, "certificate_key_mismatch"),
        (of_kind() | {"private_key": GOOD.private_key_pem}, "certificate_key_mismatch"),
        ({"topic": "com.example.other"}, "certificate_topic_mismatch"),
        (of_kind(bundle="com.example.other"), "certificate_topic_mismatch"),
        (of_kind(environments=(DEVELOPMENT,)), "certificate_environment_mismatch"),
        (
            of_kind(environments=(PRODUCTION,)) | {"environment": "sandbox"},
            "certificate_environment_mismatch",
        ),
        ({"key_id": "KEY1234567"}, "two_credentials"),
        ({"now": NOW - 86_401}, "certificate_not_yet_valid"),
        ({"now": NOW + 395 * 86_400 + 1}, "certificate_expired"),
    ],
)
def test_a_certificate_that_does_not_fit_has_a_stable_code(
    changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        made(**changes)
    assert caught.value.code == code
    assert "SECRET" not in f"{caught.value.detail!r}{caught.value.__cause__!r}"
    assert "PRIVATE" not in caught.value.detail


def test_live_activities_take_a_key() -> None:
    content = Content(live_activity=LiveActivity(Event.UPDATE))
    refused = made().compile(content, Occasion("0" * 36, NOW), made().mint(NOW))
    assert isinstance(refused, Outcome)
    assert (refused.kind, refused.status) == (Kind.FAILED, 403)


def with_topics(der: bytes) -> x509.Certificate:
    """A certificate whose list of topics is `der`."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.USER_ID, "com.example.subject")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(P256.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .add_extension(x509.UnrecognizedExtension(TOPICS, der), critical=False)
        .sign(P256, hashes.SHA256())
    )


def test_a_list_of_topics_as_openssl_writes_it() -> None:
    """SEQUENCE of UTF8String:com.x.app, SEQWRAP,UTF8String:app, UTF8String:com.x.app.voip, …"""
    der = bytes.fromhex(
        "302a 0c09 636f6d2e782e617070 3005 0c03 617070"
        " 0c0e 636f6d2e782e6170702e766f6970 3006 0c04 766f6970".replace(" ", "")
    )
    assert topics(with_topics(der)) == {"com.x.app", "com.x.app.voip"}


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x82", b"\x30\x05ab", b"\x30\x03\x0c\x01\xff"])
def test_a_list_that_cannot_be_read_leaves_the_subject(der: bytes) -> None:
    assert topics(with_topics(der)) == {"com.example.subject"}


@given(st.binary(max_size=60))
@settings(max_examples=50)
def test_junk_in_a_certificate_never_crashes(der: bytes) -> None:
    assert all(isinstance(topic, str) for topic in topics(with_topics(der)))
