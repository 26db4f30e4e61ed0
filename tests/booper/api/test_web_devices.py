"""A browser's push subscription at the front door."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.booper.api.door import TOKEN, door, problem
from tests.booper.providers.test_push_subscription import AUTH, POINT

if TYPE_CHECKING:
    from pathlib import Path

# A public address that needs no name server to be found.
ENDPOINT = "https://9.9.9.9/push/1"


def subscription(endpoint: Any = ENDPOINT, **keys: Any) -> dict[str, Any]:
    whole = {"p256dh": POINT, "auth": AUTH, **keys}
    return {"endpoint": endpoint, "expirationTime": None, "keys": whole}


async def test_a_subscription_is_one_device_in_every_spelling(tmp_path: Path) -> None:
    async with door(tmp_path) as front:
        text = json.dumps(subscription(p256dh=POINT + "=", auth=AUTH + "=="), indent=2)
        ids = set()
        for body in (
            {"subscription": subscription()},
            {"subscription": {**subscription(), "options": {"userVisibleOnly": True}}},
            {"device_token": text},
        ):
            answer = await front.post("/api/devices", {"provider": "webpush", **body})
            assert answer.status_code == 201, answer.text
            ids.add(answer.json()["id"])
        assert len(ids) == 1
        heard = {"channel": "news", "device_token": text}
        assert (await front.post("/api/subscriptions", heard)).status_code == 201


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "which_device_token", "/device_token"),
        ({"device_token": None}, "which_device_token", "/device_token"),
        (
            {"device_token": "x", "subscription": subscription()},
            "which_device_token",
            "/subscription",
        ),
        ({"subscription": {"endpoint": ENDPOINT}}, "invalid", "/subscription/keys"),
        ({"subscription": subscription(7)}, "invalid", "/subscription/endpoint"),
        ({"subscription": subscription("x" * 2049)}, "invalid", "/subscription/endpoint"),
        ({"subscription": []}, "invalid", "/subscription"),
        (
            {"subscription": subscription("http://9.9.9.9/")},
            "invalid_device_token",
            "/subscription/endpoint",
        ),
        ({"subscription": subscription(auth="")}, "invalid_device_token", "/subscription/keys"),
        ({"device_token": TOKEN}, "invalid_device_token", "/device_token"),
        ({"device_token": "[" * 4000}, "invalid_device_token", "/device_token"),
        (
            {"subscription": subscription("https://127.0.0.1/x")},
            "forbidden_url",
            "/subscription/endpoint",
        ),
        (
            {"device_token": json.dumps(subscription("https://[::ffff:10.0.0.1]/x"))},
            "forbidden_url",
            "/device_token/endpoint",
        ),
        (
            {"subscription": subscription("https://169.254.169.254/latest/meta-data")},
            "forbidden_url",
            "/subscription/endpoint",
        ),
        (
            {"subscription": subscription("https://9.9.9.9:22/x")},
            "forbidden_url",
            "/subscription/endpoint",
        ),
    ],
)
async def test_what_is_no_subscription(
    tmp_path: Path, body: dict[str, Any], code: str, pointer: str
) -> None:
    async with door(tmp_path) as front:
        answer = await front.post("/api/devices", {"provider": "webpush", **body})
        problem(answer, 422, code, pointer)
        assert "169.254" not in answer.text


async def test_other_providers_take_no_subscription(tmp_path: Path) -> None:
    async with door(tmp_path) as front:
        body = {"provider": "apns", "subscription": subscription()}
        problem(
            await front.post("/api/devices", body), 422, "invalid_device_token", "/subscription"
        )
