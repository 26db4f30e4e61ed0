"""The JWT attack table: whatever is not exactly what we hand out is refused (RFC 8725)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from booper.api import access_jwt
from booper.api.access_jwt import Pass
from booper.domain.secret import Secret
from booper.store.server_keys import ServerKey

NOW = 1_800_000_000.0
KEY = ServerKey("key-1", Secret("11" * 32))
PRIVATE = Ed25519PrivateKey.from_private_bytes(KEY.raw)
PEM = PRIVATE.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
RAW = PRIVATE.public_key().public_bytes_raw()
CLAIMS: dict[str, Any] = {
    "iss": access_jwt.ISSUER,
    "aud": access_jwt.AUDIENCE,
    "sub": "account",
    "sid": "session",
    "jti": "j",
    "iat": int(NOW),
    "exp": int(NOW) + 900,
}
TWICE = b'{"alg":"none","alg":"EdDSA","typ":"JWT","kid":"key-1"}'
HEADER: dict[str, Any] = {"alg": "EdDSA", "typ": "JWT", "kid": "key-1"}


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def made(claims: object = None, header: object = None, sign: Any = PRIVATE.sign) -> str:
    """A JWT of those parts, signed for real unless something else signs."""
    whole = HEADER if header is None else header
    head = b64(whole if isinstance(whole, bytes) else json.dumps(whole).encode())
    payload = b64(json.dumps(CLAIMS if claims is None else claims).encode())
    return f"{head}.{payload}.{b64(sign(f'{head}.{payload}'.encode()))}"


def opens(text: str, now: float = NOW) -> Pass | None:
    """As api/entry.py asks: the key by its id, then the rest."""
    return access_jwt.verify(text, KEY, now) if access_jwt.kid(text) == KEY.id else None


def headed(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (HEADER | changes).items() if value is not ...}


def mac(secret: bytes) -> Any:
    return lambda data: hmac.digest(secret, data, hashlib.sha256)


GOOD = Pass("account", "session")


def test_what_is_handed_out_opens() -> None:
    assert opens(made()) == GOOD
    ours = access_jwt.sign(KEY, "account", "session", "j", NOW, 900)
    assert opens(ours) == GOOD
    assert jwt.get_unverified_header(ours) == HEADER
    assert jwt.decode(ours, PRIVATE.public_key(), ["EdDSA"], {"verify_signature": False}) == CLAIMS


def malleable(data: bytes) -> bytes:
    """The same signature with S + L in place of S (RFC 8032 §8.4)."""
    good = PRIVATE.sign(data)
    order = 2**252 + 27742317777372353535851937790883648493
    stretched = int.from_bytes(good[32:], "little") + order
    return good[:32] + stretched.to_bytes(32, "little")


def attacks(claims: dict[str, Any]) -> dict[str, str]:
    """Everything that is not what we hand out, made of claims that would be good; the key is KEY.

    Sources: RFC 8725 §2 and §3; the JWT libraries' own advisories (confusion of algorithms, `crit`,
    lists for texts, keys in headers).
    """

    def claims_with(**changes: Any) -> dict[str, Any]:
        return {name: value for name, value in (claims | changes).items() if value is not ...}

    def forged(body: object = None, header: object = None, sign: Any = PRIVATE.sign) -> str:
        return made(claims if body is None else body, header, sign)

    return {
        "none": forged(header=headed(alg="none"), sign=lambda _: b""),
        "None": forged(header=headed(alg="None"), sign=lambda _: b""),
        "no signature": forged(sign=lambda _: b""),
        "HS256 with the public key as PEM": forged(header=headed(alg="HS256"), sign=mac(PEM)),
        "HS256 with the public key's bytes": forged(header=headed(alg="HS256"), sign=mac(RAW)),
        "HS256 with nothing": forged(header=headed(alg="HS256"), sign=mac(b"")),
        "HS256 body under our name": forged(sign=mac(RAW)),
        "ES256 by another": jwt.encode(
            claims, ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": "key-1"}
        ),
        "another key": forged(sign=Ed25519PrivateKey.generate().sign),
        "alg as a list": forged(header=headed(alg=["EdDSA"])),
        "alg in another case": forged(header=headed(alg="eddsa")),
        "no alg": forged(header=headed(alg=...)),
        "kid unknown": forged(header=headed(kid="key-2")),
        "kid as a path": forged(header=headed(kid="../../dev/null")),
        "kid as SQL": forged(header=headed(kid="' UNION SELECT 'x")),
        "kid as a number": forged(header=headed(kid=1)),
        "kid as an object": forged(header=headed(kid={"key-1": 1})),
        "no kid": forged(header=headed(kid=...)),
        "crit": forged(header=headed(crit=["exp"])),
        "crit, empty": forged(header=headed(crit=[])),
        "b64": forged(header=headed(b64=False, crit=["b64"])),
        "jku": forged(header=headed(jku="https://evil.example/jwks.json")),
        "x5u": forged(header=headed(x5u="https://evil.example/cert")),
        "jwk": forged(header=headed(jwk={"kty": "OKP", "crv": "Ed25519", "x": b64(RAW)})),
        "x5c": forged(header=headed(x5c=["MII"])),
        "typ": forged(header=headed(typ="at+jwt")),
        "no typ": forged(header=headed(typ=...)),
        "zip": forged(header=headed(zip="DEF")),
        "a header that is a list": forged(header=[]),
        "a header that is a text": forged(header="EdDSA"),
        **{f"no {name}": forged(claims_with(**{name: ...})) for name in claims},
        **{f"{name} null": forged(claims_with(**{name: None})) for name in claims},
        **{f"{name} an object": forged(claims_with(**{name: {}})) for name in claims},
        "aud of another": forged(claims_with(aud="booper:sync")),
        "aud as a list": forged(claims_with(aud=[access_jwt.AUDIENCE])),
        "iss of another": forged(claims_with(iss="https://evil.example")),
        "iss as a list": forged(claims_with(iss=[access_jwt.ISSUER])),
        "sub a number": forged(claims_with(sub=5)),
        "expired": forged(claims_with(iat=int(NOW) - 1000, exp=int(NOW) - 31)),
        "exp a text": forged(claims_with(exp=str(int(NOW) + 900))),
        "exp true": forged(claims_with(exp=True)),
        "exp infinite": forged(claims_with(exp=1e400)),
        "exp NaN": forged(claims_with(exp=float("nan"))),
        "exp before iat": forged(claims_with(iat=int(NOW), exp=int(NOW) - 1)),
        "iat in the future": forged(claims_with(iat=int(NOW) + 31)),
        "nbf in the future": forged(claims_with(nbf=int(NOW) + 31)),
        "nbf a text": forged(claims_with(nbf="0")),
        "claims that are a list": forged([]),
        "claims that are a text": forged("x"),
        "huge": forged(claims_with(more="x" * 8192)),
        "deep": ".".join([b64(json.dumps(HEADER).encode()), b64(b"[" * 4000), "AA"]),
        "no dots": forged().replace(".", ""),
        "four parts": forged() + ".AA",
        "five parts": "a.b.c.d.e",
        "not base64": "eyJ!.eyJ!.!",
        "not UTF-8": f"{b64(bytes([0xFF, 0xFE]))}.{b64(bytes([0xFF]))}.AA",
        "a space": " " + forged(),
        "a line feed": forged() + "\n",
        "not ASCII": forged() + "é",
        "nothing": "",
        "dots": "..",
        "JSON serialization": json.dumps({"payload": "x", "signatures": []}),
        "HS384 with the public key": forged(header=headed(alg="HS384"), sign=mac(PEM)),
        "HS512 with the public key": forged(header=headed(alg="HS512"), sign=mac(RAW)),
        "RS256 by name": forged(header=headed(alg="RS256")),
        "alg twice": forged(
            header=b'{"alg":"none","alg":"EdDSA","typ":"JWT","kid":"key-1"}', sign=lambda _: b""
        ),
        "a signature of zeros": forged(sign=lambda _: bytes(64)),
        "a signature that was stretched": forged(sign=malleable),
        "a signature of other claims": forged(sign=lambda _: PRIVATE.sign(b"eyJ.eyJ")),
        "a signature cut short": forged(sign=lambda data: PRIVATE.sign(data)[:63]),
        "cty": forged(header=headed(cty="JWT")),
        "x5t": forged(header=headed(**{"x5t#S256": "AA"})),
        "jwk in place of kid": forged(header=headed(kid=..., jwk={"kty": "OKP", "x": b64(RAW)})),
        "kid in another case": forged(header=headed(kid="KEY-1")),
        "kid null": forged(header=headed(kid=None)),
        "aud in another case": forged(claims_with(aud=access_jwt.AUDIENCE.upper())),
        "aud of two, ours among them": forged(claims_with(aud=[access_jwt.AUDIENCE, "x"])),
        "exp a list": forged(claims_with(exp=[int(NOW) + 900])),
        "the payload alone": forged().split(".")[1],
        "ours twice": forged() + forged(),
        "as a quoted text": f'"{forged()}"',
    }


ATTACKS = attacks(CLAIMS)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused(name: str) -> None:
    assert opens(ATTACKS[name]) is None


@pytest.mark.parametrize("place", range(3))
def test_any_changed_part_is_refused(place: int) -> None:
    parts = made().split(".")
    parts[place] = ("B" if parts[place][0] != "B" else "C") + parts[place][1:]
    assert opens(".".join(parts)) is None


def test_it_lives_as_long_as_it_says() -> None:
    assert access_jwt.LEEWAY <= 60
    text = made()
    assert opens(text, NOW + 900 + access_jwt.LEEWAY - 1) == GOOD
    assert opens(text, NOW + 900 + access_jwt.LEEWAY) is None
    assert opens(text, NOW - access_jwt.LEEWAY) == GOOD
    assert opens(text, NOW - access_jwt.LEEWAY - 1) is None


@given(st.text(max_size=200) | st.binary(max_size=200).map(b64))
def test_no_text_crashes_it(text: str) -> None:
    assert opens(text) is None
    assert opens(f"{made().split('.', maxsplit=1)[0]}.{text}") is None
