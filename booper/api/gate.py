"""The one gate for input: bytes and texts from outside become typed values here, or a problem.

No junk passes: broken UTF-8, lone surrogates, NaN, duplicate keys, deep nesting and numbers
beyond 64 bits are refused before any route sees them.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from quart import request
from werkzeug.exceptions import UnsupportedMediaType

from booper.domain.errors import Invalid, Malformed, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")
DEPTH = 32  # levels of nesting
KEYS = 1000  # in all objects together
NUMBER = 32  # characters of one number
SHOWN = 200  # characters of what is wrong, which may quote the input
_SIMPLE = frozenset({str, int, bool, type(None)})
_SPACED = re.compile(rb"[ \n\t\r]:")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # which PostgreSQL does not store
_PLACE = re.compile(r"(.*) - at `\$([\w.\[\]]*)`", re.DOTALL)
_FIELD = re.compile(r"Object (?:contains unknown|missing required) field `(.*)`", re.DOTALL)


async def body(kind: type[T], *, optional: bool = False) -> T:
    """The request's JSON body as a `kind`; Malformed (400), 415 or Invalid (422) if it is not.
    An `optional` one that is not there is made of defaults."""
    if optional and "Content-Type" not in request.headers and not await request.get_data():
        return kind()
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send application/json.")
    data = await request.get_data(cache=False, as_text=False)
    return decode(data, kind)  # type: ignore[arg-type]


def query(kind: type[T]) -> T:
    """The request's query as a `kind`; Malformed (400) if it is not: a name that the route does not
    know, one that stands twice, a value of another type."""
    if not request.query_string:
        return _queried({}, kind)
    try:
        unquote_to_bytes(request.query_string.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise Malformed("The query is not valid UTF-8 text.", code="invalid_query") from None
    fields: dict[str, str] = {}
    for name, values in request.args.lists():
        if len(values) > 1 or "\0" in values[0]:
            raise Malformed("A parameter is not good.", code="invalid_query", pointer=_step(name))
        fields[name] = values[0]
    return _queried(fields, kind)


def _queried(fields: dict[str, str], kind: type[T]) -> T:
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        found = _invalid(str(error))
        detail, pointer = found.detail, found.pointer
        raise Malformed(detail, code="invalid_query", pointer=pointer) from None


def part(text: str, kind: type[T]) -> T:
    """A part of the path as a `kind`; what is not one names nothing: NotFound."""
    try:
        if "\0" in text or "\ufffd" in text:
            raise msgspec.ValidationError
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        raise NotFound("There is no such thing.") from None


def decode(data: bytes, kind: type[T]) -> T:
    """JSON bytes as a `kind`; the error points to the first thing that is wrong."""
    return convert(tree(data), kind)


def convert(value: object, kind: type[T]) -> T:
    """A parsed value as a `kind`."""
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None


def identifier(text: str) -> str:
    """A UUID in its canonical spelling; anything else names nothing: NotFound."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise NotFound("There is no such thing.") from None


def tree(data: bytes) -> object:
    """JSON bytes as plain values."""
    if (simple := _simple(data)) is not None:
        return simple
    try:
        text = data.decode()
        value = json.loads(
            text,
            object_pairs_hook=_members,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_float,
        )
        if "\\u0000" in text and _NUL.search(text):
            raise Malformed("A text holds the character NUL.", code="bad_text")
        json.dumps(value, ensure_ascii=False).encode()  # lone surrogates do not encode
    except UnicodeError:
        raise Malformed("The body is not valid UTF-8 text.", code="bad_utf8") from None
    except RecursionError:
        raise Malformed("The body is nested too deeply.", code="too_deep") from None
    except json.JSONDecodeError as error:
        raise Malformed(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            code="bad_json",
        ) from None
    if text.count("{") + text.count("[") > DEPTH or text.count(":") > KEYS:
        _measure(value)
    return value


def _simple(data: bytes) -> dict[str, Any] | None:
    """The members of an object of plain texts and such, which is nearly every body and is quick to
    see; None for anything that wants a closer look."""
    if b"\\" in data:
        return None
    try:
        found = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # Every member has a colon right behind its key's quote, and a text may have more of them: where
    # there are as many as members, no key stands twice.
    if type(found) is not dict or not len(found) == data.count(b'":') <= KEYS:
        return None
    kinds = set(map(type, found.values()))
    if not kinds <= _SIMPLE or _SPACED.search(data):
        return None
    if int in kinds and any(type(one) is int and not _fits(one) for one in found.values()):
        return None
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("A key stands twice in one object.", code="duplicate_key")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is not JSON.", code="bad_json")


def _integer(text: str) -> int:
    value = int(text) if len(text) <= NUMBER else 2**64
    if not _fits(value):
        raise Malformed("A number does not fit in 64 bits.", code="bad_number")
    return value


def _fits(value: int) -> bool:
    return -(2**63) <= value < 2**63


def _float(text: str) -> float:
    value = float(text) if len(text) <= NUMBER else float("inf")
    if value in (float("inf"), float("-inf")):
        raise Malformed("A number is too long or too large.", code="bad_number")
    return value


def _measure(value: object) -> None:
    """Refuse more than DEPTH levels, and more than KEYS members of objects in all."""
    keys = 0
    level = [value]
    for _ in range(DEPTH + 1):
        keys += sum(len(item) for item in level if isinstance(item, dict))
        if keys > KEYS:
            raise Malformed("The body has too many members.", code="too_many_keys")
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise Malformed("The body is nested too deeply.", code="too_deep")


def _children(item: object) -> Iterable[object]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


def _invalid(text: str) -> Invalid:
    """msgspec's `what - at `$.where`` as a sentence and a JSON pointer (RFC 6901)."""
    found = _PLACE.fullmatch(text)
    detail, path = (found[1], found[2]) if found else (text, "")
    pointer = path.replace("[...]", "").replace("[", "/").replace("]", "").replace(".", "/")
    if (field := _FIELD.fullmatch(detail)) and len(field[1]) <= SHOWN:
        pointer += _step(field[1])
    return Invalid(f"{detail[:SHOWN]}.", pointer=pointer)


def _step(name: str) -> str:
    """One step of a JSON pointer, shortened like everything that quotes the input."""
    return "/" + name[:SHOWN].replace("~", "~0").replace("/", "~1")
