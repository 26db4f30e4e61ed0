"""VAPID: what a push service is told of us, which keys and subjects are taken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from booper.domain.errors import Misconfigured
from booper.domain.secret import Secret
from booper.providers import base64url, ece, vapid
from tests.booper.providers.keys import P256, P384, RSA, pem

NOW = 1_800_000_000.5
SUBJECT = "mailto:ops@example.com"


def parts(value: str) -> tuple[str, str]:
    scheme, _, rest = value.partition(" ")
    assert scheme == "vapid"
    signed, public = (part.split("=", 1) for part in rest.split(", "))
    assert (signed[0], public[0]) == ("t", "k")
    return signed[1], public[1]


def claims(value: str, audience: str) -> dict[str, Any]:
    signed, public = parts(value)
    point = base64url.decoded(public)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    assert jwt.get_unverified_header(signed) == {"alg": "ES256", "typ": "JWT"}
    options: Any = {"verify_exp": False}
    said: dict[str, Any] = jwt.decode(
        signed, key, algorithms=["ES256"], audience=audience, options=options
    )
    return said


def test_the_header_names_the_origin_the_end_and_the_operator() -> None:
    own = vapid.Vapid(P256, SUBJECT)
    said = claims(own.authorization("https://push.example.net", NOW), "https://push.example.net")
    assert said == {"aud": "https://push.example.net", "exp": 1_800_043_200, "sub": SUBJECT}
    assert vapid.LIFETIME <= 24 * 3600
    assert vapid.RENEW < vapid.LIFETIME


def test_one_token_per_origin_and_moment() -> None:
    own = vapid.Vapid(P256, SUBJECT)
    first = own.authorization("https://a.example", NOW)
    assert own.authorization("https://a.example", NOW) == first
    assert claims(own.authorization("https://b.example", NOW), "https://b.example")["exp"]
    assert own.authorization("https://a.example", NOW) == first
    later = claims(own.authorization("https://a.example", NOW + 3600), "https://a.example")
    assert later["exp"] == 1_800_046_800


def test_the_tokens_kept_are_bounded() -> None:
    own = vapid.Vapid(P256, SUBJECT)
    first = own.authorization("https://0.example", NOW)
    for number in range(1, vapid.KEPT):
        own.authorization(f"https://{number}.example", NOW)
    assert own.authorization("https://0.example", NOW) == first
    for number in range(vapid.KEPT + 5):
        own.authorization(f"https://{number}.more.example", NOW)
    assert len(own._kept) == vapid.KEPT
    assert own.authorization("https://0.example", NOW) != first  # forgotten, signed anew


def test_a_key_may_be_pem_or_what_npm_web_push_prints() -> None:
    raw = base64url.encoded(P256.private_numbers().private_value.to_bytes(32, "big"))
    expected = ece.public_point(P256)
    for text in (pem(P256), raw, f"{raw}=", f"{raw}\n"):
        assert ece.public_point(vapid.private_key(Secret(text), "own")) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "invalid_key"),
        ("junk", "invalid_key"),
        ("A" * 43, "invalid_key"),  # zero is no key
        ("_" * 43, "invalid_key"),  # nor is what is beyond the curve's order
        (pem(RSA), "wrong_curve"),
        (pem(P384), "wrong_curve"),
        (pem(P256, b"password"), "invalid_key"),
    ],
)
def test_other_keys_are_refused_and_never_shown(text: str, code: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        vapid.private_key(Secret(text), "instances.web")
    assert refused.value.code == code
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("text", [SUBJECT, "https://example.com/contact", "mailto:a+b@c.example"])
def test_subjects(text: str) -> None:
    assert vapid.checked_subject(text, "own") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ops@example.com",
        "mailto:",
        "mailto:nobody",
        "mailto: a@b",
        "http://example.com",
        "https://",
        "mailto:a@b\n",
        f"mailto:{'a' * 260}@b",
    ],
)
def test_a_subject_must_be_an_address(text: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        vapid.checked_subject(text, "own")
    assert refused.value.code == "bad_subject"


def test_a_generated_pair_belongs_together() -> None:
    pair, other = vapid.generate(), vapid.generate()
    key = vapid.private_key(pair.private_key, "own")
    assert pair.public_key == vapid.Vapid(key, SUBJECT).public_key
    assert len(pair.public_key) == 87
    assert pair.public_key != other.public_key
    assert "PRIVATE" not in repr(pair)


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_booper_keys_vapid_prints_a_pair(option: list[str]) -> None:
    program = [sys.executable, "-m", "booper", "keys", "vapid", *option]
    said = subprocess.run(
        program, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    if option:
        both = json.loads(said.stdout)
        private, public = both["private_key"], both["public_key"]
    else:
        private, _, public = said.stdout.strip().partition("\napplicationServerKey: ")
    key = load_pem_private_key(private.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert base64url.encoded(ece.public_point(key)) == public
