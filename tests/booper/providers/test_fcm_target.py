"""FCM's targets: device tokens, topics, conditions; one spelling each, none that breaks out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain.errors import Invalid
from booper.providers.fcm import Fcm
from booper.providers.fcm_target import to_many

device_token = Fcm().device_token


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("a:b_c-d.e" * 3, "a:b_c-d.e" * 3),
        ("topic:news", "topic:news"),
        ("topic:/topics/news.de_1~%-", "topic:news.de_1~%-"),
        ("fid:cJb2Jt3xQm-_0123456789", "fid:cJb2Jt3xQm-_0123456789"),
        ("condition:'a' in topics", "condition:'a' in topics"),
        ("condition: ( 'a'  in\ttopics )", "condition:('a' in topics)"),
        (
            "condition:'a'intopics",
            "",
        ),
        (
            "condition:'a' in topics||!('b' in topics&&!'c' in topics)",
            "condition:'a' in topics || !('b' in topics && !'c' in topics)",
        ),
        (
            "condition:" + "&&".join(["'a' in topics"] * 5),
            "condition:" + " && ".join(["'a' in topics"] * 5),
        ),
    ],
)
def test_a_target_has_one_spelling(text: str, spelt: str) -> None:
    if not spelt:
        with pytest.raises(Invalid):
            device_token(text)
        return
    assert device_token(text) == spelt
    assert device_token(spelt) == spelt


@pytest.mark.parametrize(
    "junk",
    [
        *("", "short", 'a"' * 20, "x" * 20 + "\n", "x" * 20 + "\\", "é" * 20, "x" * 4097),
        *("topic:", "topic:a b", "topic:a/b", 'topic:a"', "topic:" + "a" * 901, "topic:é"),
        *("fid:", "fid:short", "fid:" + "a" * 101, "fid:a.b" * 8),
        *("condition:", "condition:a in topics", "condition:'a'", "condition:'a' in topic"),
        *("condition:'a' in topics &&", "condition:&& 'a' in topics", "condition:!"),
        *("condition:('a' in topics", "condition:'a' in topics)", "condition:()"),
        *("condition:'a' in topics 'b' in topics", "condition:'a' in topics !'b' in topics"),
        *("condition:'a' in topics & 'b' in topics", "condition:'a\"' in topics"),
        "condition:" + "&&".join(["'a' in topics"] * 6),
        "condition:" + "(" * 500 + "'a' in topics" + ")" * 500,
    ],
)
def test_anything_else_is_refused(junk: str) -> None:
    with pytest.raises(Invalid) as caught:
        device_token(junk)
    assert caught.value.code == "invalid_device_token"


@given(st.text(alphabet="'ab in topics&|!()\"\\", max_size=60))
def test_no_spelling_ever_needs_escaping(text: str) -> None:
    for prefix in ("condition:", "topic:", "fid:", ""):
        try:
            spelt = device_token(prefix + text)
        except Invalid:
            continue
        assert json.dumps(spelt) == f'"{spelt}"'
        assert to_many(spelt) == spelt.startswith(("topic:", "condition:"))
