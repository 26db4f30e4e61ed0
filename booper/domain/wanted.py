"""Wanted: what a provider instance should be, as its row says. Workers make it so.

An instance is started or stopped, and enabled or disabled, independently: one that was disabled
comes back disabled, whatever happened to it in between. Its settings come in generations: `serving`
is proved by use; `proving` is newer, in use and not yet proved; `failed` was refused by the
provider and waits for somebody's decision, while `serving` is back at work.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.errors import Conflict, Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATOR = ""  # the tenant of the operator's own instances
CONFIGURATION = "configuration"  # who changed it: the settings file
CANARY = 50  # pushes that a provider must accept before a canary is promoted

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RESERVED = frozenset({"all", "booper", "default", "new", "none", "self"})


class Editor(NamedTuple):
    """Who changes something, and whose instances: the tenant "" is the operator."""

    tenant: str
    name: str


FILE = Editor(OPERATOR, CONFIGURATION)


class Wanted(msgspec.Struct, frozen=True):
    """One row of `instances`. `version` moves with every change, `generation` is the newest given
    out; neither is ever used again. `reconnects` counts the fresh starts asked for."""

    key: str
    tenant: str
    name: str
    provider: str
    origin: str
    version: int
    generation: int
    serving: int
    changed_at: float
    changed_by: str
    started: bool = True
    enabled: bool = True
    preferred: bool = False
    proving: int | None = None
    failed: int | None = None
    share: float = 1.0
    words: str = ""
    reconnects: int = 0

    @property
    def state(self) -> str:
        """In one word, as people ask for it."""
        if not self.started:
            return "stopped"
        return "enabled" if self.enabled else "disabled"

    @property
    def sends(self) -> bool:
        """Whether new work may be handed to it."""
        return self.started and self.enabled

    def check_editor(self, by: Editor) -> None:
        """Conflict `from_configuration`: it is the settings file's, and `by` is not."""
        if self.origin == CONFIGURATION and by is not FILE:
            raise Conflict(
                f"{self.name!r} comes from the settings file; change it there.",
                code="from_configuration",
            )

    @property
    def rotation(self) -> str | None:
        """How a change of its settings stands; None: nothing is open."""
        if self.failed is not None:
            return "rotation_failed"
        if self.proving is None:
            return None
        return "canary" if self.share < 1.0 else "proving"


def key_of(tenant: str, name: str) -> str:
    """How an instance is called between the rooms: an operator's by its bare name."""
    return f"{tenant}/{name}" if tenant else name


def instance_name(name: str, providers: frozenset[str] = frozenset()) -> str:
    """A name that may be given; Invalid says why not. `providers`' names are the settings'."""
    if not _NAME.fullmatch(name):
        raise Invalid(
            "An instance's name has 1 to 64 letters, digits, '.', '_' or '-', and begins with a"
            " letter or digit.",
            code="invalid_name",
            pointer="/name",
        )
    if name.lower() in _RESERVED | providers:
        raise Invalid(f"The name {name!r} is reserved.", code="reserved_name", pointer="/name")
    return name


def merged(old: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    """The settings with the patch laid over them; null takes a setting away (RFC 7396)."""
    both = {**old, **patch}
    return {name: value for name, value in both.items() if value is not None}
