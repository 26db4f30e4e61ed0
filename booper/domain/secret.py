"""Secret: a value that shows itself only to whoever asks by name."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn


class Secret:
    """Text that redacts itself in repr, str, format, JSON and pickles; `reveal` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; pass it on, never store or log it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


class Place(NamedTuple):
    """Where a sealed secret belongs; it opens nowhere else. `tenant` "" is the operator."""

    tenant: str
    kind: str
    name: str
    version: int


def hidden(kind: type, value: Any) -> Secret:
    """How msgspec reads a Secret from a text (its `dec_hook`); TypeError for anything else."""
    if kind is not Secret or not isinstance(value, str):
        raise TypeError("a secret is a text")
    return Secret(value)
