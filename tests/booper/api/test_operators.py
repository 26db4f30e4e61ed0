"""Health for machines, the admin's pages for operators only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.booper.api.door import NoDatabase, door, problem

if TYPE_CHECKING:
    from pathlib import Path

ADMIN = ("/api/admin/tree", "/api/admin/instances")


async def admitted(
    folder: Path, path: str, *, caller: str, headers: dict[str, str], admin_key: str = ""
) -> bool:
    """Whether the operator's page opens; if not, it is a 403 that says so."""
    async with door(folder, caller=caller, admin_key=admin_key) as house:
        answer = await house.client.get(path, headers=headers)
        if answer.status_code == 401:
            presented = "Authorization" in headers
            problem(answer, 401, "invalid_credential" if presented else "unauthenticated")
            assert answer.headers["www-authenticate"] == "Bearer"
            return False
        if path.endswith("tree"):
            problem(answer, 503, "not_ready")  # there is no tree behind this door
        else:
            found = {one["name"]: one["standing"] for one in answer.json()["instances"]}
            assert found == {"main": None, "other": None}
        return True


@pytest.mark.parametrize("path", ADMIN)
@pytest.mark.parametrize(
    ("caller", "headers", "opens"),
    [
        ("127.0.0.1", {}, True),
        ("127.9.9.9", {}, True),
        ("::1", {}, True),
        ("10.0.0.1", {}, False),
        ("::ffff:10.0.0.1", {}, False),
        ("", {}, False),
        ("localhost", {}, False),
        ("10.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, False),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, False),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, False),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}, False),
        ("127.0.0.1", {"Via": "1.1 proxy"}, False),
        ("127.0.0.1", {"x-forwarded-for": ""}, False),
        ("127.0.0.1", {"Host": "evil.example"}, False),
        ("127.0.0.1", {"Host": "[::1"}, False),
        ("127.0.0.1", {"Host": ""}, False),
        ("127.0.0.1", {"Host": "localhost:8080"}, True),
        ("127.0.0.1", {"Host": "[::1]:8080"}, True),
        ("127.0.0.1", {"Origin": "http://localhost:3000"}, True),
        ("127.0.0.1", {"Origin": "https://evil.example"}, False),
        ("127.0.0.1", {"Origin": "null"}, False),
        ("127.0.0.1", {"Origin": ""}, False),
        ("10.0.0.1", {"Authorization": "Bearer "}, False),
    ],
)
async def test_without_a_key_only_this_machine_and_directly(
    tmp_path: Path, path: str, caller: str, headers: dict[str, str], opens: bool
) -> None:
    headers = {"Host": "127.0.0.1:8080", **headers}
    assert await admitted(tmp_path, path, caller=caller, headers=headers) is opens


@pytest.mark.parametrize("path", ADMIN)
@pytest.mark.parametrize(
    ("authorization", "opens"),
    [
        ("Bearer hush", True),
        ("bearer hush", True),
        (None, False),
        ("", False),
        ("Bearer ", False),
        ("Bearer hus", False),
        ("Bearer hush2", False),
        ("Bearer HUSH", False),
        ("Basic hush", False),
        ("hush", False),
    ],
)
async def test_with_a_key_only_with_the_key_wherever_one_is(
    tmp_path: Path, path: str, authorization: str | None, opens: bool
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for caller in ("127.0.0.1", "10.0.0.1"):
        found = await admitted(tmp_path, path, caller=caller, headers=headers, admin_key="hush")
        assert found is opens


async def test_a_key_of_any_letters_works(tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer schlüssel".encode()}
    async with door(tmp_path, admin_key="schlüssel") as house:
        answer = await house.client.get("/api/admin/instances", headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 200


async def test_healthz_asks_nobody(tmp_path: Path) -> None:
    store = NoDatabase()
    async with door(tmp_path, database=store, stopping=True) as house:
        answer = await house.client.get("/healthz")
        assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
        assert store.touched == 0


async def test_not_ready_while_stopping_without_the_store_or_without_a_worker(
    tmp_path: Path,
) -> None:
    async with door(tmp_path, stopping=True) as house:
        problem(await house.client.get("/readyz"), 503, "stopping")
    async with door(tmp_path, database=NoDatabase()) as house:
        problem(await house.client.get("/readyz"), 503, "store_unavailable")
    async with door(tmp_path) as house:
        answer = await house.client.get("/readyz")
        problem(answer, 503, "not_ready")
        assert "keeper" in answer.json()["detail"]
        assert answer.headers["retry-after"]
