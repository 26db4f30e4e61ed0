"""The gate: no junk of any kind passes, and none of it is our fault."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.api import gate
from booper.domain.errors import Invalid, Malformed, NotFound
from tests.booper.api.door import POSTS, TOKEN, door, problem

if TYPE_CHECKING:
    from pathlib import Path


def nested(levels: int) -> bytes:
    return b'{"data":' * levels + b"1" + b"}" * levels


JUNK: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 400, "bad_json"),
    "blank": (b"  \n", 400, "bad_json"),
    "text": (b"hello", 400, "bad_json"),
    "cut off": (b'{"channel": "n', 400, "bad_json"),
    "two values": (b"{} {}", 400, "bad_json"),
    "a comma too many": (b'{"a":1,}', 400, "bad_json"),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400, "bad_json"),
    "a control character": (b'{"channel":"a\nb"}', 400, "bad_json"),
    "broken UTF-8": (b'{"channel":"\xff"}', 400, "bad_utf8"),
    "overlong UTF-8": (b'{"channel":"\xc0\xaf"}', 400, "bad_utf8"),
    "UTF-16": ('{"channel":"a"}'.encode("utf-16-le"), 400, "bad_json"),
    "a lone surrogate": (b'{"channel":"\\ud800"}', 400, "bad_utf8"),
    "a lone surrogate as a key": (b'{"\\udfff":1}', 400, "bad_utf8"),
    "NaN": (b'{"badge":NaN}', 400, "bad_json"),
    "Infinity": (b'{"badge":Infinity}', 400, "bad_json"),
    "-Infinity": (b'{"badge":-Infinity}', 400, "bad_json"),
    "2^63": (b'{"badge":9223372036854775808}', 400, "bad_number"),
    "2^64": (b'{"data":{"x":18446744073709551616}}', 400, "bad_number"),
    "-2^64": (b'{"data":{"x":-18446744073709551616}}', 400, "bad_number"),
    "1e400": (b'{"data":{"x":1e400}}', 400, "bad_number"),
    "5000 digits": (b'{"badge":' + b"9" * 5000 + b"}", 400, "bad_number"),
    "5000 decimals": (b'{"badge":0.' + b"9" * 5000 + b"}", 400, "bad_number"),
    "NUL": (b'{"channel":"a\\u0000b"}', 400, "bad_text"),
    "NUL behind a backslash": (b'{"data":{"a":["\\\\\\u0000"]}}', 400, "bad_text"),
    "twice the same key": (b'{"channel":"a","channel":"b"}', 400, "duplicate_key"),
    "twice, further in": (b'{"data":{"x":[{"y":1,"y":1}]}}', 400, "duplicate_key"),
    "33 levels": (nested(33), 400, "too_deep"),
    "900 levels": (nested(900), 400, "too_deep"),
    "60000 brackets": (b"[" * 60_000, 400, "too_deep"),
    "60000 brackets, closed": (b"[" * 30_000 + b"]" * 30_000, 400, "too_deep"),
    "1001 keys": (
        b'{"data":{%b}}' % b",".join(b'"k%d":1' % n for n in range(1001)),
        400,
        "too_many_keys",
    ),
    "1001 keys in all": (
        b'{"data":[%b]}' % b",".join(b'{"k":1}' for _ in range(1001)),
        400,
        "too_many_keys",
    ),
    "a list": (b"[]", 422, "invalid"),
    "null": (b"null", 422, "invalid"),
    "a number": (b"5", 422, "invalid"),
    "too large": (b'{"x":"' + b"y" * 70_000 + b'"}', 413, "body_too_large"),
}


@pytest.mark.parametrize("path", POSTS)
async def test_junk_is_a_problem_on_every_route(tmp_path: Path, path: str) -> None:
    async with door(tmp_path) as house:
        for name, (body, status, code) in JUNK.items():
            answer = await house.post(path, body)
            try:
                problem(answer, status, code)
            except AssertionError as error:
                raise AssertionError(f"{name} at {path}: {error}") from error
            assert len(answer.content) < 1000, f"{name}: the answer echoes the input"


TEXTS = ("text/plain", "application/x-www-form-urlencoded")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("kind", [None, *TEXTS, "application/jsonx", ",", ""])
async def test_only_json_is_read(tmp_path: Path, path: str, kind: str | None) -> None:
    async with door(tmp_path) as house:
        headers = {} if kind is None else {"Content-Type": kind}
        answer = await house.post(path, b"{}", headers=headers)
        if kind in TEXTS and path in ("/api/notify", "/api/notifications"):
            problem(answer, 422, "which_audience")  # there, it is what is said
        else:
            problem(answer, 415, "unsupported_media_type")


async def test_json_may_say_its_charset(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        headers = {"Content-Type": "Application/JSON; charset=utf-8"}
        answer = await house.post("/api/notify", b"{}", headers=headers)
        problem(answer, 422, "empty_notification")


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/api/devices", {}, "/provider"),
        ("/api/devices", {"device_token": TOKEN}, "/provider"),
        ("/api/devices", {"provider": 5, "device_token": TOKEN}, "/provider"),
        ("/api/devices", {"provider": "apns", "device_token": 5}, "/device_token"),
        ("/api/devices", {"provider": "apns", "device_token": "x" * 4097}, "/device_token"),
        (
            "/api/devices",
            {"provider": "apns", "device_token": TOKEN, "a/b~c": 1},
            "/a~1b~0c",
        ),
        ("/api/subscriptions", {"channel": 5, "device_id": "x"}, "/channel"),
        ("/api/subscriptions", {"channel": "a", "device_id": 5}, "/device_id"),
        ("/api/notify", {"channel": "a", "colour": 1}, "/colour"),
        ("/api/notify", {"channel": "a", "title": 5}, "/title"),
        ("/api/notify", {"channel": "a", "title": "x" * 4097}, "/title"),
        ("/api/notify", {"channel": "a", "title": "t", "badge": -1}, "/badge"),
        ("/api/notify", {"channel": "a", "title": "t", "ttl": 1.5}, "/ttl"),
        ("/api/notify", {"channel": "a", "title": "t", "priority": "loud"}, "/priority"),
        ("/api/notify", {"channel": "a", "title": "t", "data": [1]}, "/data"),
    ],
)
async def test_what_is_not_allowed_is_pointed_at(
    tmp_path: Path, path: str, body: object, pointer: str
) -> None:
    async with door(tmp_path) as house:
        problem(await house.post(path, body), 422, "invalid", pointer)


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    deep: list[Annotated[int, msgspec.Meta(ge=0)]] = []


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inner: Inner = Inner()
    named: dict[str, Inner] = {}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"inner":{"deep":[1,2,-3]}}', "/inner/deep/2"),
        (b'{"inner":{"deep":"x"}}', "/inner/deep"),
        (b'{"inner":{"shallow":1}}', "/inner/shallow"),
        (b'{"inner":5}', "/inner"),
        (b'{"a` - at `b":5}', "/a` - at `b"),
        (b'{"named":{"a":{"deep":[-1]}}}', "/named/deep/0"),
    ],
)
def test_the_pointer_leads_to_the_place(body: bytes, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        gate.decode(body, Thing)
    assert caught.value.pointer == pointer


def test_good_values_pass_unchanged() -> None:
    body = '{"a":[9223372036854775807,-9223372036854775808,1.5,true,null,"ü😀"],"b":{}}'
    assert gate.tree(body.encode()) == {
        "a": [2**63 - 1, -(2**63), 1.5, True, None, "ü😀"],
        "b": {},
    }
    assert gate.tree(nested(32)), "32 levels are allowed"
    many = b"{%b}" % b",".join(b'"k%d":1' % n for n in range(1000))
    assert len(gate.tree(many)) == 1000  # type: ignore[arg-type]
    assert len(gate.tree(b"[%b]" % b",".join([b"1"] * 30_000))) == 30_000  # type: ignore[arg-type]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


@given(values)
def test_every_json_value_of_ordinary_size_passes(value: Any) -> None:
    assert gate.tree(msgspec.json.encode(value)) == value


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "a:b", "é", "", ":"]),
            st.sampled_from([":", ": ", " :", "\n:"]),
            st.sampled_from(['"x"', '":y"', '"é\\u00e9"', "null", "true", "1", '{"a":"b"}', "[]"]),
        ),
        max_size=4,
    )
)
def test_the_quick_look_sees_what_the_close_one_sees(members: list[tuple[str, str, str]]) -> None:
    text = ", ".join(f'"{name}"{colon}{value}' for name, colon, value in members)
    if len({name for name, _, _ in members}) < len(members):
        with pytest.raises(Malformed, match="twice"):
            gate.tree(f"{{{text}}}".encode())
    else:
        assert gate.tree(f"{{{text}}}".encode()) == json.loads(f"{{{text}}}")


def test_a_text_may_speak_of_nul() -> None:
    assert gate.tree(rb'["\\u0000", "\\\\u0000", "u0000"]') == [r"\u0000", r"\\u0000", "u0000"]


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda s: s.encode("utf-8", "replace")))
def test_no_bytes_crash_the_gate(body: bytes) -> None:
    with suppress(Malformed, Invalid):
        gate.decode(body, Thing)


@pytest.mark.parametrize(
    "text", ["", "x", "../etc", "0" * 31, "g" * 32, "\ud800" * 32, "1" * 5000, "%00", "é" * 32]
)
def test_what_is_no_identifier_names_nothing(text: str) -> None:
    with pytest.raises(NotFound):
        gate.identifier(text)


def test_an_identifier_has_one_spelling() -> None:
    own = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
    for text in (own, own.upper(), own.replace("-", ""), f"{{{own}}}"):
        assert gate.identifier(text) == own
