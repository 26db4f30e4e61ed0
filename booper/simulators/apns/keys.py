"""Signing keys as Apple hands them out, for whoever needs a pair that matches the simulator."""

from __future__ import annotations

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from booper.simulators.apns.account import TeamKey


class SigningKey(msgspec.Struct, frozen=True):
    """Both halves of a throw-away APNs key; `private_key_pem` is what an AuthKey_….p8 holds."""

    team_key: TeamKey
    private_key_pem: str

    def __repr__(self) -> str:
        """The key's names only: even a throw-away private key stays out of logs."""
        return f"SigningKey({self.team_key.team_id}/{self.team_key.key_id})"

    def mint(
        self, issued_at: float, *, team_id: str | None = None, key_id: str | None = None
    ) -> str:
        """A provider token issued at `issued_at` (seconds since 1970), as a sender would make it.

        `team_id` and `key_id` stand in for the key's own, to make tokens that must be refused.
        """
        return jwt.encode(
            {"iss": team_id or self.team_key.team_id, "iat": int(issued_at)},
            self.private_key_pem,
            algorithm="ES256",
            headers={"kid": key_id or self.team_key.key_id},
        )


def generate_key(
    team_id: str = "TEAM123456",
    key_id: str = "KEY1234567",
    topics: frozenset[str] = frozenset(),
    environment: str | None = None,
) -> SigningKey:
    """A new key pair of the kind Apple issues: P-256, the private half in PKCS #8."""
    private = ec.generate_private_key(ec.SECP256R1())
    public_pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private_pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    team_key = TeamKey(team_id, key_id, public_pem.decode("ascii"), topics, environment)
    return SigningKey(team_key, private_pem.decode("ascii"))
