"""Web Push encryption: the RFC's own example, a third party's reading of ours, broken input."""

from __future__ import annotations

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from booper.providers import base64url, ece

# RFC 8291 §5 and appendix A.
PLAINTEXT = b"When I grow up, I want to be a watermelon"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
AGENT = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
POINT = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = base64url.decoded("BTBZMqHH6r4Tts7J_aSIgg")
SALT = base64url.decoded("DGv6ra1nlYgDCS1FRnbzlw")
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmY"
    "WAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexS"
    "gSxsj_Qulcy4a-fN"
)


def key(text: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(base64url.decoded(text), "big")
    return ec.derive_private_key(number, ec.SECP256R1())


RECEIVER = ece.receiver(base64url.decoded(POINT), AUTH)


def test_the_example_of_rfc_8291_byte_for_byte() -> None:
    body = ece.encrypt(PLAINTEXT, RECEIVER, ece.Once(key(SENDER), SALT))
    assert base64url.encoded(body) == BODY
    assert ece.decrypt(base64url.decoded(BODY), key(AGENT), AUTH) == PLAINTEXT


@given(st.binary(max_size=ece.LIMIT))
@settings(max_examples=30, deadline=None)
def test_http_ece_reads_what_we_write(plaintext: bytes) -> None:
    body = ece.encrypt(plaintext, RECEIVER, ece.once())
    assert len(body) <= ece.RECORD
    read = http_ece.decrypt(body, private_key=key(AGENT), auth_secret=AUTH, version="aes128gcm")
    assert read == plaintext


def test_we_read_what_http_ece_writes() -> None:
    body = http_ece.encrypt(
        PLAINTEXT, salt=SALT, private_key=key(SENDER), dh=RECEIVER.point, auth_secret=AUTH
    )
    assert ece.decrypt(body, key(AGENT), AUTH) == PLAINTEXT


def test_the_greatest_message_fills_the_record() -> None:
    assert len(ece.encrypt(b"x" * 3993, RECEIVER, ece.once())) == 4096
    with pytest.raises(ValueError, match="3994 bytes"):
        ece.encrypt(b"x" * 3994, RECEIVER, ece.once())


def test_no_two_messages_look_alike() -> None:
    bodies = {ece.encrypt(PLAINTEXT, RECEIVER, ece.once())[:86] for _ in range(50)}
    assert len(bodies) == 50


@pytest.mark.parametrize(
    ("point", "auth"),
    [
        (RECEIVER.point[:-1], AUTH),
        (RECEIVER.point + b"\0", AUTH),
        (b"\x04" + b"\x01" * 64, AUTH),  # not on the curve
        (b"\x00" * 65, AUTH),
        (b"\x02" + RECEIVER.point[1:], AUTH),
        (b"", AUTH),
        (RECEIVER.point, AUTH[:-1]),
        (RECEIVER.point, b""),
    ],
)
def test_keys_that_are_none_are_refused(point: bytes, auth: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ece.receiver(point, auth)


def test_every_bit_of_a_body_counts() -> None:
    whole = base64url.decoded(BODY)
    for place in range(len(whole)):
        if place in (16, 17, 18, 19):  # the record size: only "not smaller than the record"
            continue
        broken = bytearray(whole)
        broken[place] ^= 1
        with pytest.raises(ValueError, match=r".+"):
            ece.decrypt(bytes(broken), key(AGENT), AUTH)


@given(st.binary(max_size=200))
def test_junk_is_no_message(junk: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ece.decrypt(junk, key(AGENT), AUTH)


@pytest.mark.parametrize("length", [0, 15, 20, 21, 85, 86, 102, 103])
def test_a_body_cut_short_is_no_message(length: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ece.decrypt(base64url.decoded(BODY)[:length], key(AGENT), AUTH)


@given(st.binary(max_size=80))
def test_base64url_has_one_spelling(data: bytes) -> None:
    text = base64url.encoded(data)
    assert "=" not in text
    assert base64url.decoded(text) == data
    assert base64url.decoded(text + "=" * (-len(text) % 4)) == data


@pytest.mark.parametrize("text", ["a", "ab+/", "a b c", "ab\n", "abcd===", "äöü", "ab=d", "a*bc"])
def test_what_is_not_base64url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not base64url"):
        base64url.decoded(text)
