"""RSA keys are proved by their numbers and by use: a broken one is refused, at once."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from booper.domain.errors import Misconfigured
from booper.domain.secret import Secret
from booper.providers.jwt import rs256_key

GOOD = rsa.generate_private_key(65537, 2048)
NUMBERS = GOOD.private_numbers()


def pem(key: rsa.RSAPrivateKey) -> Secret:
    raw = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Secret(raw.decode())


def broken(**changes: int) -> rsa.RSAPrivateKey:
    """The good key with other numbers, as nobody's tool would write it."""
    parts = {name: getattr(NUMBERS, name) for name in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}
    public = {"e": NUMBERS.public_numbers.e, "n": NUMBERS.public_numbers.n}
    for name, value in changes.items():
        (public if name in public else parts)[name] = value
    numbers = rsa.RSAPrivateNumbers(
        parts["p"],
        parts["q"],
        parts["d"],
        parts["dmp1"],
        parts["dmq1"],
        parts["iqmp"],
        rsa.RSAPublicNumbers(public["e"], public["n"]),
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def composite() -> dict[str, int]:
    """Numbers that agree with each other, with a p that is no prime."""
    q, e = NUMBERS.q, 65537
    seed = rsa.generate_private_key(65537, 1024).private_numbers()
    p = seed.p * seed.q
    d = pow(e, -1, (p - 1) * (q - 1))
    return {
        "p": p,
        "n": p * q,
        "d": d,
        "dmp1": d % (p - 1),
        "dmq1": d % (q - 1),
        "iqmp": pow(q, -1, p),
    }


def test_a_good_key_is_taken() -> None:
    assert rs256_key(pem(GOOD), "main").private_numbers() == NUMBERS


@pytest.mark.parametrize(
    "changes",
    [
        {"d": NUMBERS.d - 2},
        {"dmp1": NUMBERS.dmp1 - 2},
        {"dmq1": NUMBERS.dmq1 - 2},
        {"iqmp": NUMBERS.iqmp - 1},
        {"e": 3},
        composite(),
    ],
    ids=lambda changes: "+".join(changes),
)
def test_a_broken_key_is_refused_before_it_is_used(changes: dict[str, int]) -> None:
    with pytest.raises(Misconfigured) as caught:
        rs256_key(pem(broken(**changes)), "main")
    assert caught.value.code == "invalid_key"


@pytest.mark.parametrize("size", [1024])
def test_a_key_that_is_too_short_is_refused(size: int) -> None:
    with pytest.raises(Misconfigured) as caught:
        rs256_key(pem(rsa.generate_private_key(65537, size)), "main")
    assert caught.value.code == "invalid_key"
