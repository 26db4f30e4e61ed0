"""What the shell tells a provider's rules, and what these make of it. No I/O."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec

if TYPE_CHECKING:
    from booper.simulators.faults import Answer


class Call(msgspec.Struct, frozen=True):
    """One request. `headers` have lower-case names, in the order they came; `target` is as sent."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value of header `name` (lower-case), or None."""
        return next((text for key, text in self.headers if key == name), None)

    @property
    def place(self) -> str:
        """The path as it was sent."""
        return self.target.partition("?")[0]

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(self.place)

    @property
    def query(self) -> dict[str, str]:
        """The query's fields; of repeated ones the last."""
        try:
            fields = parse_qsl(
                self.target.partition("?")[2], keep_blank_values=True, max_num_fields=100
            )
        except ValueError:
            return {}
        return dict(fields)

    @property
    def bearer(self) -> str | None:
        """What stands behind "Bearer" in Authorization."""
        kind, _, text = (self.header("authorization") or "").partition(" ")
        return text.strip() if kind.lower() == "bearer" else None

    @property
    def basic(self) -> tuple[str, str] | None:
        """User and password in Authorization; None if it says nothing readable of the kind."""
        kind, _, text = (self.header("authorization") or "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            pair = base64.b64decode(text.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        user, colon, word = pair.partition(":")
        return (user, word) if colon else None


class Ruling(msgspec.Struct, frozen=True):
    """What becomes of a call, if no fault comes between.

    `devices` are the device tokens it is about: their scripts meet it. `pushes` (device, push id)
    go into the ledger as sent by `instance` when the ruling stands, and then `keep` is called, for
    what the provider itself remembers. `reason` is what the ledger counts of a refusal.
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    devices: tuple[str, ...] = ()
    instance: str = ""
    pushes: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    keep: Callable[[], None] | None = None


class Rules(Protocol):
    """One provider's own part. Both methods are quick, change nothing, and never raise."""

    def judge(self, call: Call, now: float) -> Ruling:
        """What the provider makes of the call at `now` (Unix seconds)."""
        ...

    def scripted(self, call: Call, ruling: Ruling, answer: Answer) -> Ruling:
        """The ruling in place of `ruling` that `answer` asks for, in the provider's own words.

        A status of 200 takes what was refused, too, as far as it can be read.
        """
        ...
