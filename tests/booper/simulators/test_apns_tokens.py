"""Provider tokens: signature, age, team, and the rules of one connection."""

from __future__ import annotations

import base64

import jwt
import pytest

from booper.simulators.apns import (
    Account,
    SigningKey,
    Standing,
    TeamKey,
    TokenJudge,
    Verdict,
    generate_key,
)
from booper.simulators.apns.reasons import refuse

NOW = 1_800_000_000.0
MINUTE = 60.0


def bearer(token: str) -> bytes:
    return f"bearer {token}".encode()


def standing_of(
    judge: TokenJudge, token: str, standing: Standing | None = None, at: float = NOW
) -> Standing:
    """The standing after presenting a token that must be accepted."""
    result = judge.present(bearer(token), standing, at)
    assert isinstance(result, Standing), result
    return result


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (0, None),
        (3600, None),
        (-300, None),
        (3601, refuse("ExpiredProviderToken")),
        (-301, refuse("ExpiredProviderToken")),
    ],
)
def test_a_provider_token_is_good_for_an_hour(
    key: SigningKey, age: int, verdict: Verdict | None
) -> None:
    result = TokenJudge(Account([key.team_key])).present(bearer(key.mint(NOW - age)), None, NOW)
    assert (result if isinstance(result, Verdict) else None) == verdict


def test_it_expires_on_a_connection_that_knows_it(key: SigningKey) -> None:
    judge = TokenJudge(Account([key.team_key]))
    token = key.mint(NOW)
    standing = standing_of(judge, token)
    assert standing_of(judge, token, standing, NOW + 3600) == standing
    assert judge.present(bearer(token), standing, NOW + 3601) == refuse("ExpiredProviderToken")
    assert judge.present(None, standing, NOW) == refuse("MissingProviderToken")


def _forged(key: SigningKey) -> str:
    head, claims, signature = key.mint(NOW).split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[5] ^= 1
    return f"{head}.{claims}." + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _without_time(key: SigningKey, **claims: object) -> str:
    return jwt.encode(
        {"iss": key.team_key.team_id, **claims},
        key.private_key_pem,
        algorithm="ES256",
        headers={"kid": key.team_key.key_id},
    )


def test_an_invalid_provider_token_is_refused(key: SigningKey) -> None:
    judge = TokenJudge(Account([key.team_key]))
    stranger = generate_key()  # says the same of itself, and is not the same key
    tokens = [
        _forged(key),
        stranger.mint(NOW),
        key.mint(NOW, key_id="UNKNOWN000"),
        key.mint(NOW, team_id="OTHERTEAM0"),
        _without_time(key),
        _without_time(key, iat="now"),
        _without_time(key, iat=True),
        jwt.encode({"iss": "TEAM123456", "iat": int(NOW)}, "s" * 32, headers={"kid": "KEY1234567"}),
        jwt.encode({"iss": "TEAM123456", "iat": int(NOW)}, "", algorithm="none"),
        "a.b.c",
        "ü",
    ]
    for token in tokens:
        assert judge.present(bearer(token), None, NOW) == refuse("InvalidProviderToken"), token


def test_the_scheme_has_no_case(key: SigningKey) -> None:
    judge = TokenJudge(Account([key.team_key]))
    assert isinstance(judge.present(b"Bearer " + key.mint(NOW).encode(), None, NOW), Standing)


def test_a_new_token_too_early_is_refused_and_the_old_one_stays_good(key: SigningKey) -> None:
    judge = TokenJudge(Account([key.team_key]))
    first, second = key.mint(NOW), key.mint(NOW + 1)
    standing = standing_of(judge, first)
    early = judge.present(bearer(second), standing, NOW + 20 * MINUTE - 1)
    assert early == refuse("TooManyProviderTokenUpdates")
    assert standing_of(judge, first, standing, NOW + 20 * MINUTE - 1) == standing
    later = standing_of(judge, second, standing, NOW + 20 * MINUTE)
    assert later.since == NOW + 20 * MINUTE
    back = judge.present(bearer(first), later, NOW + 21 * MINUTE)
    assert back == refuse("TooManyProviderTokenUpdates")


def test_a_connection_belongs_to_one_key_and_one_team(key: SigningKey) -> None:
    second = generate_key(key_id="KEY7654321")
    foreign = generate_key(team_id="TEAM654321", key_id="KEYFOREIGN")
    account = Account([key.team_key, second.team_key, foreign.team_key])
    judge = TokenJudge(account)
    standing = standing_of(judge, key.mint(NOW))
    for other in (second, foreign):
        refusal = judge.present(bearer(other.mint(NOW)), standing, NOW + 30 * MINUTE)
        assert refusal == refuse("UnrelatedKeyIdInToken")
        standing_of(judge, other.mint(NOW))
    moved = TeamKey("TEAM654321", "KEY1234567", foreign.team_key.public_key_pem)
    account.add_key(moved)
    refusal = judge.present(bearer(foreign.mint(NOW, key_id="KEY1234567")), standing, NOW)
    assert refusal == refuse("InvalidProviderToken")


def test_a_revoked_key_is_refused_on_every_connection_at_once(key: SigningKey) -> None:
    account = Account([key.team_key])
    judge = TokenJudge(account)
    token = key.mint(NOW)
    standing = standing_of(judge, token)
    account.revoke_key("NOBODYS000")
    standing_of(judge, token, standing)
    account.revoke_key("KEY1234567")
    assert judge.present(bearer(token), standing, NOW) == refuse("InvalidProviderToken")
    account.add_key(key.team_key)
    assert standing_of(judge, token, standing).since == standing.since


def test_a_key_of_the_other_environment_is_refused() -> None:
    sandboxed = generate_key(environment="sandbox")
    token = bearer(sandboxed.mint(NOW))
    production = TokenJudge(Account([sandboxed.team_key]))
    sandbox = TokenJudge(Account([sandboxed.team_key], environment="sandbox"))
    assert production.present(token, None, NOW) == refuse("BadEnvironmentKeyIdInToken")
    assert isinstance(sandbox.present(token, None, NOW), Standing)


def test_a_key_must_be_apples_kind(key: SigningKey) -> None:
    with pytest.raises(ValueError, match="P-256"):
        Account([TeamKey("T", "K", _p384())])
    assert key.private_key_pem not in repr(key)


def _p384() -> str:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = ec.generate_private_key(ec.SECP384R1()).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
