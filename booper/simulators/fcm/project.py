"""What the simulated Google knows: a project, its service accounts, its devices.

Change it at any time through its methods; the next request meets the new state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from booper.simulators.fcm.errors import CODES

if TYPE_CHECKING:
    from collections.abc import Iterable


class ServiceAccount(msgspec.Struct, frozen=True):
    """The public half of a service account's key (RS256, PEM), and the project it may send for."""

    email: str
    key_id: str
    public_key_pem: str
    project_id: str


class KnownAccount(NamedTuple):
    """A ServiceAccount ready to verify with."""

    account: ServiceAccount
    public: rsa.RSAPublicKey


class Project:
    """Accounts by key id, refusals by device.

    By default every well-formed registration token is a device; with `known_devices_only` one that
    was never registered is UNREGISTERED. `revision` changes whenever an account does.
    """

    def __init__(
        self,
        project_id: str = "booper-simulated",
        accounts: Iterable[ServiceAccount] = (),
        *,
        known_devices_only: bool = False,
    ) -> None:
        self.project_id = project_id
        self.known_devices_only = known_devices_only
        self.revision = 0
        self._accounts: dict[str, KnownAccount] = {}
        self._devices: dict[str, str] = {}
        for account in accounts:
            self.add_account(account)

    def add_account(self, account: ServiceAccount) -> None:
        """Know a key from now on. ValueError if it is not an RSA key."""
        public = load_pem_public_key(account.public_key_pem.encode())
        if not isinstance(public, rsa.RSAPublicKey):
            raise ValueError("a service account's key is an RSA key")  # noqa: TRY004
        self._accounts[account.key_id] = KnownAccount(account, public)
        self.revision += 1

    def revoke_key(self, key_id: str) -> None:
        """Forget a key, as when it is deleted in the console. No error if unknown."""
        if self._accounts.pop(key_id, None) is not None:
            self.revision += 1

    def account(self, key_id: str) -> KnownAccount | None:
        """The account of that key, if known."""
        return self._accounts.get(key_id)

    def register(self, device: str, refusal: str = "") -> None:
        """Say what is known of `device`: a good one, or which of FCM's codes pushes to it get."""
        if refusal and refusal not in CODES:
            raise ValueError(f"FCM has no code {refusal!r}")
        self._devices[device] = refusal

    def unregister(self, device: str) -> None:
        """The app is gone from `device`: UNREGISTERED from now on."""
        self.register(device, "UNREGISTERED")

    @property
    def indifferent(self) -> bool:
        """Whether every well-formed registration token is a device."""
        return not self._devices and not self.known_devices_only

    def refusal(self, device: str) -> str:
        """The code that a push to `device` gets; "" if it is good."""
        unknown = "UNREGISTERED" if self.known_devices_only else ""
        return self._devices.get(device, unknown)


class Issued(msgspec.Struct, frozen=True):
    """Both halves of a throw-away service account; `fields` is what its JSON file holds."""

    account: ServiceAccount
    fields: dict[str, str]

    def __repr__(self) -> str:
        """Even a throw-away private key stays out of logs."""
        return f"Issued({self.account.email})"

    def file(self, token_uri: str) -> str:
        """The JSON file, with the token endpoint to ask."""
        return msgspec.json.encode({**self.fields, "token_uri": token_uri}).decode()


def generate_account(
    project_id: str = "booper-simulated", name: str = "push", key_id: str = "0" * 39 + "1"
) -> Issued:
    """A new service account with a key of its own, of the kind the console hands out."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    email = f"{name}@{project_id}.iam.gserviceaccount.com"
    fields = {
        "type": "service_account",
        "project_id": project_id,
        "private_key_id": key_id,
        "private_key": private,
        "client_email": email,
        "client_id": "1",
    }
    return Issued(ServiceAccount(email, key_id, public.decode("ascii"), project_id), fields)
