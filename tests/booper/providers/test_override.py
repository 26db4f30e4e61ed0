"""Raw overrides merge as RFC 7396 says; its own examples are here."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.providers.override import merged

# RFC 7396, appendix A, those whose two sides are objects.
EXAMPLES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


@pytest.mark.parametrize(("built", "patch", "whole"), EXAMPLES)
def test_the_examples_of_the_rfc(
    built: dict[str, Any], patch: dict[str, Any], whole: dict[str, Any]
) -> None:
    assert merged(built, patch) == whole


@given(OBJECTS, OBJECTS)
def test_nothing_handed_in_is_changed_and_twice_is_once(
    built: dict[str, Any], patch: dict[str, Any]
) -> None:
    before = copy.deepcopy((built, patch))
    once = merged(built, patch)
    assert (built, patch) == before
    assert merged(once, patch) == once
    assert merged(built, {}) == built
