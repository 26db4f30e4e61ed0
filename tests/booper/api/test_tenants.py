"""Two tenants × every route × every id: what is somebody else's is as if it were not there."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from booper.api.app import OPERATIONS
from booper.domain.caller import Who
from tests.booper.api.door import door
from tests.booper.api.estate import BODIES, PUBLIC, Estate, estate

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from booper.api.operation import Operation

TENANTS = Who.ANYONE | Who.ACCOUNT | Who.APP | Who.DEVICE
ROUTES = {
    f"{one.method} {one.path}": one
    for operations in OPERATIONS
    for one in operations.declared
    if one.callers & TENANTS
}
WITH_IDS = {name: one for name, one in ROUTES.items() if one.parts and name not in PUBLIC}
LISTS = {name: one for name, one in ROUTES.items() if one.method == "GET" and not one.parts}
MISSING = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"


def seen(answer: httpx.Response) -> tuple[Any, ...]:
    """All that a caller can tell two answers apart by, but for its own request's id and how many
    requests it has left."""
    body = answer.json() if answer.content else None
    if isinstance(body, dict):
        body.pop("request_id", None)
    own = ("x-request-id", "ratelimit")
    headers = {name: text for name, text in answer.headers.items() if not name.startswith(own)}
    return answer.status_code, body, headers


def crossings(one: Operation, own: Estate, foreign: Estate) -> list[tuple[str, str]]:
    """Paths with at least one foreign id, each beside the same path with nobody's in its place."""
    found = []
    for choice in itertools.product((own, foreign), repeat=len(one.parts)):
        theirs = {part: whose.ids[part] for part, whose in zip(one.parts, choice, strict=True)}
        nobody_s = {
            part: MISSING if whose is foreign else theirs[part]
            for part, whose in zip(one.parts, choice, strict=True)
        }
        if foreign in choice:
            found.append((one.path.format(**theirs), one.path.format(**nobody_s)))
    return found


def test_the_estate_has_every_kind_of_id_and_every_body() -> None:
    parts = {part for one in WITH_IDS.values() for part in one.parts}
    have = {"app_id", "key_id", "session_id", "name", "notification_id"}
    have |= {"device_id", "channel", "subscription_id", "code"}
    assert parts - have == set(), "give each tenant one of these in estate.py"
    bodies = {name for name, one in WITH_IDS.items() if one.body is not None}
    assert bodies - set(BODIES) == set(), "give these a good body in estate.py"
    assert set(ROUTES) >= PUBLIC | set(BODIES), "a route that is no more"


@pytest.mark.parametrize("name", WITH_IDS)
async def test_a_foreign_thing_is_as_if_it_were_not_there(tmp_path: Path, name: str) -> None:
    one = WITH_IDS[name]
    async with door(tmp_path, admin_key="hush") as house:
        ann, bea = await estate(house, "ann"), await estate(house, "bea")
        before = await belongings(ann)
        for who, caller in bea.callers.items():
            for foreign, missing in crossings(one, bea, ann):
                answers = [
                    await caller.ask(one.method, path, BODIES.get(name))
                    for path in (foreign, missing)
                ]
                assert seen(answers[0]) == seen(answers[1]), f"{who} tells {foreign} from none"
                assert answers[0].status_code in (403, 404), f"{who} reaches {foreign}"
                if answers[0].status_code == 403:
                    assert answers[0].json()["code"] == "wrong_caller"
        assert await belongings(ann) == before


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_shows_nothing_foreign(tmp_path: Path, name: str) -> None:
    async with door(tmp_path, admin_key="hush") as house:
        ann, bea = await estate(house, "ann"), await estate(house, "bea")
        for caller in bea.callers.values():
            text = (await caller.ask("GET", LISTS[name].path)).text
            assert [kind for kind, own in ann.ids.items() if own in text] == []


async def test_the_owner_does_reach_it(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key="hush") as house:
        ann = await estate(house, "ann")
        for name, one in WITH_IDS.items():
            if one.method == "GET":
                path = one.path.format(**ann.ids)
                statuses = [
                    (await caller.ask("GET", path)).status_code for caller in ann.callers.values()
                ]
                assert 200 in statuses, f"nobody reaches {name}"
        assert all(UUID(own) for part, own in ann.ids.items() if part.endswith("_id"))


async def belongings(whose: Estate) -> list[Any]:
    """What a tenant sees of its own."""
    owner = whose.callers["session"]
    app = f"/api/apps/{whose.ids['app_id']}"
    room = f"/api/channels/{whose.ids['channel']}"
    paths = ["/api/apps", f"{app}/keys", f"{app}/instances", "/api/sessions", room]
    paths.append(f"{room}/subscribers")
    paths.append(f"/api/access_codes?app_id={whose.ids['app_id']}")
    return [(await owner.ask("GET", path)).json() for path in paths]
