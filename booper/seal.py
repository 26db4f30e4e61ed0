"""Seal: secrets at rest, by envelope encryption; every secret of every table goes through here.

Each secret has a data key of its own (AES-256-GCM), wrapped by the current key of a ring. Both
layers are bound to the secret's place (tenant, kind, name, version) as associated data, so a
ciphertext moved to another row, tenant or version does not open. Rotating a ring's key rewraps the
data keys and leaves the ciphertexts alone. Sources: NIST SP 800-38D; RFC 5116.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import stat
from typing import TYPE_CHECKING

import msgspec
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from booper.domain.errors import Misconfigured, Unsealable
from booper.domain.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from booper.domain.secret import Place

log = structlog.get_logger()

MARK = "b1"  # the format, should there ever be another
_KEY = 32
_NONCE = 12
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class KeyRing:
    """The `ports.Seal` on a ring of keys; the first wraps, every one of them unwraps."""

    def __init__(self, keys: Mapping[str, str], entropy: Callable[[int], bytes]) -> None:
        """`keys`: id → base64 of 32 bytes. Misconfigured where a key or an id cannot be used."""
        if not keys:
            raise Misconfigured("There is no key to seal secrets with.", code="missing_key")
        material = {id_: _material(id_, text) for id_, text in keys.items()}
        self._keys = {id_: AESGCM(key) for id_, key in material.items()}
        self._current = next(iter(material))
        self._marking = hmac.digest(material[self._current], b"booper fingerprint", "sha256")
        self._entropy = entropy

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    def seal(self, place: Place, secret: Secret) -> str:
        data_key = self._entropy(_KEY)
        nonce = self._entropy(_NONCE)
        text = secret.reveal().encode("utf-8", "surrogatepass")
        body = nonce + AESGCM(data_key).encrypt(nonce, text, _bound(place))
        return self._join(place, data_key, _text(body))

    def open(self, place: Place, sealed: str) -> Secret:
        data_key, body = self._unwrap(place, sealed)
        raw = _bytes(body)
        try:
            text = AESGCM(data_key).decrypt(raw[:_NONCE], raw[_NONCE:], _bound(place))
        except (InvalidTag, ValueError):
            raise _unsealable(place) from None
        return Secret(text.decode("utf-8", "surrogatepass"))

    def stale(self, sealed: str) -> bool:
        return sealed.split(".")[1:2] != [self._current]

    def rewrap(self, place: Place, sealed: str) -> str:
        data_key, body = self._unwrap(place, sealed)
        return self._join(place, data_key, body)

    def fingerprint(self, secret: Secret) -> str:
        text = secret.reveal().encode("utf-8", "surrogatepass")
        return hmac.digest(self._marking, text, "sha256").hex()[:16]

    def _join(self, place: Place, data_key: bytes, body: str) -> str:
        nonce = self._entropy(_NONCE)
        key = self._keys[self._current]
        wrapped = nonce + key.encrypt(nonce, data_key, _bound(place, self._current))
        return ".".join((MARK, self._current, _text(wrapped), body))

    def _unwrap(self, place: Place, sealed: str) -> tuple[bytes, str]:
        """The data key and the sealed body."""
        mark, _, rest = sealed.partition(".")
        parts = rest.split(".")
        if mark != MARK or len(parts) != 3:
            raise _unsealable(place)
        id_, wrapped, body = parts
        if id_ not in self._keys:
            raise Unsealable(
                f"The {place.kind} of {place.name!r} is sealed by the key {id_!r}, which is not"
                " among the configured keys.",
                code="key_missing",
            )
        raw = _bytes(wrapped)
        try:
            bound = _bound(place, id_)
            return self._keys[id_].decrypt(raw[:_NONCE], raw[_NONCE:], bound), body
        except (InvalidTag, ValueError):
            raise _unsealable(place) from None


def new_key(entropy: Callable[[int], bytes]) -> str:
    """A fresh key in the spelling of the setting `keys`."""
    return base64.b64encode(entropy(_KEY)).decode()


def key_file(path: Path, entropy: Callable[[int], bytes]) -> dict[str, str]:
    """The keys kept in a file of their own (JSON, id → base64), made with mode 0600 if absent.

    Whole or not there at all after a crash. Misconfigured: it cannot be made or read. One process
    at a time may call this for a path.
    """
    try:
        if not path.exists():
            _write(path, {"local": new_key(entropy)})
            log.warning("key_file_made", path=str(path), advice="keep it with your backups")
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            log.warning("key_file_exposed", path=str(path), advice="chmod 600")
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}.", code="key_file") from None
    except (msgspec.DecodeError, UnicodeError):
        raise Misconfigured(f"{path} does not hold keys.", code="key_file") from None
    return found


def _write(path: Path, keys: Mapping[str, str]) -> None:
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    file = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(file, msgspec.json.encode(keys) + b"\n")
        os.fsync(file)
    finally:
        os.close(file)
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # a key must not be younger than what it seals
    finally:
        os.close(folder)


def _material(id_: str, text: str) -> bytes:
    if not _ID.fullmatch(id_):
        raise Misconfigured(
            "A key's id has 1 to 32 letters, digits, - and _.", code="invalid_key_id"
        )
    try:
        key = base64.b64decode(text.encode().strip(), validate=True)
    except (binascii.Error, UnicodeError):
        key = b""
    if len(key) != _KEY:
        raise Misconfigured(f"keys.{id_} is not 32 bytes in base64.", code="invalid_sealing_key")
    return key


def _bound(place: Place, key: str = "") -> bytes:
    """The place as associated data; JSON keeps its parts apart."""
    return msgspec.json.encode((*place, key))


def _unsealable(place: Place) -> Unsealable:
    return Unsealable(f"The {place.kind} of {place.name!r} does not open: it was changed or moved.")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def _bytes(text: str) -> bytes:
    """What does not decode opens nothing either: the tag says so."""
    try:
        return base64.urlsafe_b64decode(text.encode())
    except (binascii.Error, UnicodeError):
        return b""
