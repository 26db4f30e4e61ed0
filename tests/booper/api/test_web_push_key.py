"""The public key for a web app: whose instance sends, told to anybody, and nothing else of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from booper.providers import vapid
from tests.booper.api.door import door
from tests.booper.api.estate import estate

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

OURS, THEIRS, LATER = vapid.generate(), vapid.generate(), vapid.generate()
KEY = "/api/web_push_key"
ADMIN = "the operator's own key"
OPERATOR = {"Authorization": f"Bearer {ADMIN}"}


def settings(keys: vapid.KeyPair) -> dict[str, str]:
    return {"private_key": keys.private_key.reveal(), "subject": "mailto:ops@example.com"}


def made(keys: vapid.KeyPair) -> dict[str, Any]:
    return {"name": "web", "provider": "webpush", "settings": settings(keys)}


async def told(client: httpx.AsyncClient, **query: str) -> str | None:
    """What somebody without any credential reads."""
    answer = await client.get(KEY, params=query)
    if answer.status_code == 404:
        assert answer.json()["code"] == "not_configured"
        return None
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["public_key"]
    return str(answer.json()["public_key"])


async def test_the_key_of_whoever_sends_is_told_to_anybody(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key=ADMIN) as house:
        mine, other = await estate(house, "ann"), await estate(house, "bob")
        app = mine.ids["app_id"]
        assert await told(house.client) is await told(house.client, app_id=app) is None

        answer = await house.client.post("/api/admin/instances", json=made(OURS), headers=OPERATOR)
        assert answer.status_code == 201, answer.text
        for query in ({}, {"app_id": app}, {"app_id": "nobody's"}):
            assert await told(house.client, **query) == OURS.public_key

        owner = mine.callers["session"]
        answer = await owner.ask("POST", f"/api/apps/{app}/instances", made(THEIRS))
        assert answer.status_code == 201, answer.text
        assert answer.json()["settings"]["public_key"] == THEIRS.public_key
        assert THEIRS.private_key.reveal().splitlines()[1] not in answer.text
        assert await told(house.client, app_id=app) == THEIRS.public_key
        assert await told(house.client, app_id=other.ids["app_id"]) == OURS.public_key
        assert await told(house.client) == OURS.public_key

        own = f"/api/apps/{app}/instances/web"
        assert (await owner.ask("DELETE", own)).status_code == 204
        assert await told(house.client, app_id=app) == OURS.public_key


async def test_another_key_is_shown_as_soon_as_it_serves(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key=ADMIN) as house:
        here = "/api/admin/instances/web"
        await house.client.post("/api/admin/instances", json=made(OURS), headers=OPERATOR)
        change = {"settings": {"private_key": LATER.private_key.reveal()}}
        answer = await house.client.patch(here, json=change, headers=OPERATOR)
        assert answer.status_code == 200, answer.text
        assert answer.json()["settings"]["public_key"] == LATER.public_key
        answer = await house.client.post(f"{here}/rotation/confirm", headers=OPERATOR)
        assert answer.status_code == 200, answer.text
        assert await told(house.client) == LATER.public_key
