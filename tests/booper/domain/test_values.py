"""Values: channels, contents, routes and secrets keep their promises."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

import msgspec
import pytest

from booper.domain.channel import channel_name
from booper.domain.content import MAX_TTL, Content
from booper.domain.errors import Invalid, Misconfigured
from booper.domain.routing import Routes
from booper.domain.secret import Secret, hidden

WORD = "correct-horse-battery"


@pytest.mark.parametrize(
    ("text", "name"), [("a", "a"), ("News.DE_1-x", "news.de_1-x"), ("0" * 64, "0" * 64)]
)
def test_a_channel_name_has_one_spelling(text: str, name: str) -> None:
    assert channel_name(text) == name
    assert channel_name(name) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".a",
        "-a",
        "_a",
        "a" * 65,
        "a b",
        "a/b",
        "a\n",
        "a\0",
        "ä",
        "\u212a",
        "a%2f",
        "..",
        "\u0663",
    ],
)
def test_what_is_no_channel_name_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        channel_name(text, "/here")
    assert (caught.value.code, caught.value.pointer) == ("invalid_channel_name", "/here")


@pytest.mark.parametrize(
    "fields", [{"title": "t"}, {"body": "b"}, {"data": {"a": 1}}, {"badge": 0}, {"badge": 3}]
)
def test_a_content_with_something_in_it_is_good(fields: dict[str, Any]) -> None:
    content = Content(**fields)
    assert content.checked() is content


@pytest.mark.parametrize("fields", [{}, {"subtitle": "s"}, {"sound": "s"}, {"ttl": 5}])
def test_a_content_that_says_nothing_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        Content(**fields).checked()
    assert caught.value.code == "empty_notification"


@pytest.mark.parametrize("key", ["a", "score 3:1", "~" * 64])
def test_a_collapse_key_is_printable(key: str) -> None:
    assert Content(title="t", collapse_key=key).checked().collapse_key == key


@pytest.mark.parametrize("key", ["", " a", "a ", "a\r\nb", "a\0", "é", "a" * 65, "a\x7f", "a\n"])
def test_a_collapse_key_that_could_break_a_header_is_refused(key: str) -> None:
    with pytest.raises(Invalid) as caught:
        Content(title="t", collapse_key=key).checked()
    assert caught.value.pointer == "/collapse_key"


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "x" * 4097},
        {"badge": -1},
        {"badge": 2**31},
        {"badge": True},
        {"ttl": -1},
        {"ttl": MAX_TTL + 1},
        {"priority": "urgent"},
        {"sound": ""},
        {"data": []},
        {"colour": "red"},
    ],
)
def test_a_field_outside_its_bounds_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"title": "t", **fields}, Content)


def test_a_content_travels_through_the_store_unchanged() -> None:
    content = msgspec.convert(
        {"title": "ü\u2028", "data": {"a": [1, None, 2.5]}, "ttl": 0}, Content
    )
    assert msgspec.json.decode(msgspec.json.encode(content), type=Content) == content


def test_a_device_goes_to_its_own_instance_or_to_the_default() -> None:
    routes = Routes({"a": "apns", "b": "apns", "n": "ntfy"}, {"apns": "b"})
    assert routes.resolve("apns", "a") == "a"
    assert routes.resolve("apns", "") == "b"
    assert routes.resolve("ntfy", "") == "n", "a provider with one instance needs no default"
    assert routes.resolve("apns", "n") is None, "an instance of another provider"
    assert routes.resolve("apns", "unknown") is None
    assert routes.resolve("fcm", "") is None
    assert Routes({"a": "apns", "b": "apns"}, {}).resolve("apns", "") is None


@pytest.mark.parametrize("defaults", [{"apns": "unknown"}, {"apns": "n"}, {"fcm": "a"}])
def test_a_default_that_is_not_of_its_provider_is_a_misconfiguration(
    defaults: dict[str, str],
) -> None:
    with pytest.raises(Misconfigured):
        Routes({"a": "apns", "n": "ntfy"}, defaults)


class Holder(msgspec.Struct):
    """A value that carries a secret, as a credential does."""

    secret: Secret


def test_a_secret_shows_itself_only_by_name() -> None:
    secret = Secret(WORD)
    assert secret.reveal() == WORD
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", "%s %r" % (secret, secret)]  # noqa: UP031
    shown += [repr([secret]), repr({"k": secret}), repr(Holder(secret)), str(Holder(secret))]
    assert not [text for text in shown if WORD in text]
    assert not hasattr(secret, "__dict__")


def test_a_secret_is_neither_pickled_nor_encoded() -> None:
    for encode in (pickle.dumps, msgspec.json.encode, msgspec.to_builtins):
        for value in (Secret(WORD), Holder(Secret(WORD)), [Secret(WORD)]):
            with pytest.raises(TypeError) as caught:
                encode(value)
            assert WORD not in str(caught.value)


def test_a_secret_stays_out_of_errors_and_tracebacks() -> None:
    secret = Secret(WORD)
    try:
        raise ValueError(secret)
    except ValueError as error:
        lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        text = "".join(lines) + str(error) + repr(error)
    assert "Secret(…)" in text
    assert WORD not in text


def test_secrets_are_compared_by_what_they_hold() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_only_a_text_becomes_a_secret() -> None:
    assert msgspec.convert({"secret": WORD}, Holder, dec_hook=hidden).secret == Secret(WORD)
    for wrong in (5, None, [WORD]):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"secret": wrong}, Holder, dec_hook=hidden)
