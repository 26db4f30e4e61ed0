"""What the simulated Apple knows: the teams' signing keys, their topics, and the devices.

Change it at any time through its methods; the next request meets the new state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from booper.simulators.apns.reasons import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class TeamKey(msgspec.Struct, frozen=True):
    """The public half of a team's APNs key (ES256, PEM), and the bundle ids that may be pushed to.

    No `topics` means any. A key with an `environment` works in that one only.
    """

    team_id: str
    key_id: str
    public_key_pem: str
    topics: frozenset[str] = frozenset()
    environment: str | None = None


class Registration(msgspec.Struct, frozen=True):
    """What is known of a device: the one topic it registered for, or why pushes to it are refused.

    `refusal` is any of Apple's reasons; `timestamp` (ms since 1970 UTC) goes with a 410.
    """

    topic: str | None = None
    refusal: str | None = None
    timestamp: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if Apple knows no such reason."""
        if self.refusal is not None and self.refusal not in REASONS:
            raise ValueError(f"Apple has no reason {self.refusal!r}")


class KnownKey(NamedTuple):
    """A TeamKey ready to verify with."""

    key: TeamKey
    public: ec.EllipticCurvePublicKey


class Account:
    """Keys by id, registrations by device token.

    By default every well-formed device token is a device of every topic; with
    `known_devices_only` one that was never registered is a BadDeviceToken.
    `revision` changes whenever a key does, so that what was concluded from keys can be cached.
    """

    def __init__(
        self,
        keys: Iterable[TeamKey] = (),
        devices: Mapping[str, Registration] | None = None,
        *,
        environment: str = "production",
        known_devices_only: bool = False,
    ) -> None:
        self.environment = environment
        self.known_devices_only = known_devices_only
        self.revision = 0
        self._keys: dict[str, KnownKey] = {}
        self._devices: dict[str, Registration] = {}
        for key in keys:
            self.add_key(key)
        for device, registration in (devices or {}).items():
            self.register(device, registration)

    def add_key(self, key: TeamKey) -> None:
        """Know `key` from now on, instead of another of its id. ValueError if not on P-256."""
        public = load_pem_public_key(key.public_key_pem.encode())
        if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
            raise ValueError("an APNs key is an elliptic curve key on P-256")
        self._keys[key.key_id] = KnownKey(key, public)
        self.revision += 1

    def revoke_key(self, key_id: str) -> None:
        """Forget a key, as when it is revoked in the developer account. No error if unknown."""
        if self._keys.pop(key_id, None) is not None:
            self.revision += 1

    def key(self, key_id: str) -> KnownKey | None:
        """The key of that id, if known."""
        return self._keys.get(key_id)

    def register(self, device: str, registration: Registration | None = None) -> None:
        """Say what is known of `device`; without a registration: a good device of every topic."""
        self._devices[device.lower()] = registration or Registration()

    def unregister(self, device: str, timestamp: int) -> None:
        """The app is gone from `device` since `timestamp` (ms since 1970 UTC): 410 from now on."""
        self.register(device, Registration(refusal="Unregistered", timestamp=timestamp))

    def forget(self, device: str) -> None:
        """Know nothing of `device` any more. No error if nothing was known."""
        self._devices.pop(device.lower(), None)

    @property
    def indifferent(self) -> bool:
        """Whether every well-formed device token is a device of every topic."""
        return not self._devices and not self.known_devices_only

    def registration(self, device: str) -> Registration | None:
        """What is known of `device`, if anything."""
        if not self._devices:
            return None
        return self._devices.get(device.lower())
