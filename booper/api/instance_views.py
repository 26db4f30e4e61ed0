"""What is said about provider instances over HTTP: what comes in, what goes out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from booper.domain.instance import Standing

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
Limit = Annotated[int, Meta(ge=1, le=100)]


class New(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`default`: it sends for devices that name no instance. `verify`: try it with the provider."""

    name: Annotated[str, Meta(max_length=200)]
    provider: Annotated[str, Meta(max_length=64)]
    settings: dict[str, Any]
    started: bool = True
    enabled: bool = True
    default: bool = False
    verify: bool = False


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Laid over the settings; null takes one away. `canary`: the share of the batches that goes
    through the new settings until the provider has accepted enough of them."""

    settings: dict[str, Any]
    canary: Annotated[float, Meta(gt=0, le=1)] = 1.0
    verify: bool = False


class Wait(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`applied`: answer when every live node has taken it over."""

    wait: Literal["applied"] | None = None


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`after`: the name that the page before ended with."""

    after: str = ""
    limit: Limit = 100


class AuditPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`before`: the `next` of the page before."""

    before: Annotated[int, Meta(ge=1, le=2**62)] = 2**62
    limit: Limit = 100


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """An instance as it should be, and how it is doing; `standing` null: it does not run here."""

    name: str
    provider: str
    origin: str
    state: str
    default: bool
    version: int
    generation: int
    serving: int
    rotation: str | None
    rotation_words: str
    changed_at: str | None
    changed_by: str
    standing: Standing | None


class View(Brief, frozen=True, kw_only=True):
    """`settings` without what is secret. With wait=applied, `waiting_for` names the nodes that have
    not taken it over in time."""

    settings: dict[str, Any]
    fingerprint: str
    applied: bool | UnsetType = UNSET
    waiting_for: list[str] | UnsetType = UNSET


class List(msgspec.Struct, frozen=True):
    """A page, by name; `next` is there if there are more."""

    instances: list[Brief]
    next: str | UnsetType = UNSET


class Line(msgspec.Struct, frozen=True):
    """One change."""

    number: int
    at: str | None
    who: str
    verb: str
    version: int
    generation: int
    fingerprint: str
    detail: str


class Audit(msgspec.Struct, frozen=True):
    """The newest changes first."""

    audit: list[Line]
    next: int | UnsetType = UNSET


class Verdict(msgspec.Struct, frozen=True):
    """Whether the provider takes the credential (null: it could not be asked), in its words."""

    good: bool | None
    status: int
    words: str
