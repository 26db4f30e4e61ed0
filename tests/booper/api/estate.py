"""What one tenant has: an id of every kind, for the test that crosses tenants with routes.

Whoever adds a route with a new kind of id, or with a body beside an id, adds it here.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from booper.simulators.apns import generate_key
from tests.booper.api.door import Phone
from tests.booper.api.test_apps import Person, person

if TYPE_CHECKING:
    from tests.booper.api.door import Door


class Estate(NamedTuple):
    """A tenant: how it calls, and its ids by the name of the path's part."""

    callers: dict[str, Person | Phone]
    ids: dict[str, str]


async def estate(house: Door, name: str) -> Estate:
    """A tenant with one thing of every kind."""
    owner = await person(house, name)
    app = await owner.app(f"{name}'s")
    key = await owner.key(app)
    (session,) = (await owner.ask("GET", "/api/sessions")).json()["data"]
    body = {**_INSTANCE, "name": f"{name}-own"}
    answer = await owner.ask("POST", f"/api/apps/{app}/instances", body)
    assert answer.status_code == 201, answer.text
    server = Person(house, key["key"])
    callers: dict[str, Person | Phone] = {"session": owner, "key": server}
    new = {"provider": "apns", "device_token": hashlib.sha256(name.encode()).hexdigest()}
    device = (await server.ask("POST", "/api/devices", {**new, "user_id": name})).json()
    callers["device"] = Phone(house, device["id"], device["secret"])
    said = await callers["key"].ask("POST", "/api/notify", {"everyone": True, "title": name})
    ids = {"app_id": app, "key_id": key["id"], "session_id": session["id"], "name": f"{name}-own"}
    ids["device_id"] = device["id"]
    room = await owner.ask("POST", "/api/channels", {"name": f"{name}-room", "app_id": app})
    ids["channel"] = room.json()["id"]
    listening = {"channel": ids["channel"], "device_id": device["id"]}
    heard = await server.ask("POST", "/api/subscriptions", listening)
    ids["subscription_id"] = heard.json()["id"]
    made = await server.ask("POST", "/api/access_codes", {"channels": [ids["channel"]]})
    ids["code"] = made.json()["id"]
    return Estate(callers, {**ids, "notification_id": said.json()["id"]})


_INSTANCE = {
    "name": "another",
    "provider": "apns",
    "settings": {
        "key_id": "KEY1234567",
        "team_id": "TEAM123456",
        "topic": "com.example.app",
        "private_key": generate_key().private_key_pem,
    },
}

_BEA = {"device_token": hashlib.sha256(b"bea").hexdigest()}

# A good body for each route that has one beside an id, so that nothing else is refused.
BODIES: dict[str, Any] = {
    "PATCH /api/devices/{device_id}": {"platform": "theirs"},
    "PATCH /api/apps/{app_id}": {"name": "Mine now"},
    "PATCH /api/channels/{channel}": {"title": "Mine now"},
    "POST /api/channels/{channel}/subscribe": _BEA,
    "POST /api/channels/{channel}/unsubscribe": _BEA,
    "PATCH /api/subscriptions/{subscription_id}": {"muted": True},
    "POST /api/apps/{app_id}/keys": {"label": "mine"},
    "POST /api/apps/{app_id}/instances": _INSTANCE,
    "PATCH /api/apps/{app_id}/instances/{name}": {"settings": {"topic": "com.example.other"}},
    "POST /api/apps/{app_id}/instances/{name}/push": {"device_token": "ab" * 32, "title": "x"},
    "POST /api/apps/{app_id}/instances/{name}/push/batch": {
        "device_tokens": ["ab" * 32],
        "title": "x",
    },
}

# Whose things anybody may look at who knows their id; and a code is for whoever has it.
PUBLIC: set[str] = {"POST /api/access_codes/{code}"}
