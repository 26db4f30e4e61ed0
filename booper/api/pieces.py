"""Pieces: a body that holds many things, cut into the bytes of each; the gate reads them later.

A JSON array, or one JSON value a line (NDJSON). What is wrong inside one piece is that piece's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from quart import request
from werkzeug.exceptions import UnsupportedMediaType

from booper.domain.errors import Invalid, Malformed

if TYPE_CHECKING:
    from booper.api.house import House

JSON, NDJSON = "application/json", "application/x-ndjson"
COMMAS = 64  # for each piece; beyond, an array is counted before it is cut
_decoder = msgspec.json.Decoder(list[msgspec.Raw])


async def read(house: House) -> list[bytes]:
    """The pieces of the request's body; Invalid if there are more than the settings allow."""
    kind = request.mimetype
    if kind not in (JSON, NDJSON):
        raise UnsupportedMediaType("Send application/json or application/x-ndjson.")
    data: bytes = await request.get_data(cache=False, as_text=False)  # type: ignore[assignment]
    most = house.settings.http.max_batch
    return lines(data, most) if kind == NDJSON else elements(data, most)


def lines(data: bytes, most: int) -> list[bytes]:
    """The lines that are not empty."""
    if data.count(b"\n") > 2 * most:  # so many that they are not worth cutting
        raise _too_many(most)
    found = [line for line in data.split(b"\n") if not line.isspace() and line]
    if len(found) > most:
        raise _too_many(most)
    return found


def elements(data: bytes, most: int) -> list[bytes]:
    """The elements of a JSON array, as they are written."""
    try:
        if data.count(b",") > most * COMMAS:
            _count(data, most)
        found = _decoder.decode(data)
    except msgspec.ValidationError:
        raise Invalid("Expected an array of notifications.") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed(f"The body is not JSON: {error}.", code="bad_json") from None
    if len(found) > most:
        raise _too_many(most)
    return [bytes(one) for one in found]


class _Element:
    """One element of an array that is counted."""


def _count(data: bytes, most: int) -> None:
    """Invalid once there are too many, before memory is full of them."""
    rest = iter(range(most))

    def one(_kind: type, _value: Any) -> _Element:
        if next(rest, None) is None:
            raise _too_many(most)
        return _ELEMENT

    try:
        msgspec.json.decode(data, type=list[_Element], dec_hook=one)
    except msgspec.ValidationError as error:  # which is how a hook's own error arrives
        raise error.__cause__ or error from None


_ELEMENT = _Element()


def _too_many(most: int) -> Invalid:
    return Invalid(
        f"At most {most} notifications go into one request.", code="too_many_notifications"
    )
