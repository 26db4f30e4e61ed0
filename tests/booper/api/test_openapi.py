"""The API's description: a validator accepts it, and people can read it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import validate

from booper.api.app import OPERATIONS, document
from booper.api.reference import written
from tests.booper.api.door import door

if TYPE_CHECKING:
    from pathlib import Path

DECLARED = [one for operations in OPERATIONS for one in operations.declared]


def test_a_validator_accepts_it() -> None:
    validate(document())


def test_every_route_is_in_it_with_all_its_answers() -> None:
    paths = document()["paths"]
    assert sum(map(len, paths.values())) == len(DECLARED)
    for one in DECLARED:
        shown = paths[one.path][one.method.lower()]
        assert {int(status) for status in shown["responses"]} == {*one.answers, *one.problems}
        assert "500" in shown["responses"]
    names = [one["operationId"] for found in paths.values() for one in found.values()]
    assert len(set(names)) == len(names)


def test_who_may_call_is_in_it() -> None:
    paths = document()["paths"]
    assert paths["/healthz"]["get"]["security"] == []
    assert paths["/api/apps"]["post"]["security"] == [{"session": []}]
    assert paths["/api/admin/tree"]["get"]["security"] == [{"operator": []}]
    assert {} in paths["/api/notify"]["post"]["security"]


async def test_it_is_served_as_json_and_as_a_page(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        answer = await house.client.get("/api/openapi.json")
        assert answer.json() == document()
        page = await house.client.get("/api/reference")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        text = page.text
    for one in DECLARED:
        assert one.path in text
        assert one.handler.__name__ in text
    assert not re.search(r"<script|https?://|@import|url\(", text), "something from elsewhere"
    links = set(re.findall(r'href="#([^"]+)"', text))
    assert links <= set(re.findall(r'id="([^"]+)"', text)), "a link to nowhere"


def test_a_page_shows_texts_as_they_are() -> None:
    found = document()
    found["info"]["description"] = "<b>&"
    found["components"]["schemas"]["Evil"] = {"description": "<script>", "enum": ["<i>"]}
    page = written(found)
    assert "<script>" not in page
    assert "<b>&" not in page
    assert "<i>" not in page


@pytest.mark.real
def test_the_command_prints_it() -> None:
    command = [sys.executable, "-m", "booper", "openapi"]
    ended = subprocess.run([*command, "--json"], check=True, capture_output=True)
    printed: dict[str, Any] = json.loads(ended.stdout)
    assert printed == document()
    ended = subprocess.run(command, check=True, capture_output=True)
    assert ended.stdout.decode().strip() == written(document())
