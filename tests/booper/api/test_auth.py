"""Who calls: API keys are recognised and revoked, wrong credentials are never taken for less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from booper.domain import credential
from booper.domain.caller import Role, Scope
from booper.domain.secret import Secret
from booper.store import accounts, api_keys, apps
from tests.booper.api.door import JSON, door, problem

if TYPE_CHECKING:
    from pathlib import Path

    from booper.ports import Database, Tx

PUBLIC = "/api/notifications/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"


async def key_of(database: Database, *scopes: Scope, own: str = "app-1") -> credential.Credential:
    """A new key of a new app."""
    entropy = own.encode().ljust(credential.ENTROPY, b"!")
    key = credential.minted(credential.API_KEY, entropy)

    async def work(tx: Tx) -> None:
        account = await accounts.create(
            tx, f"{own}-account", f"{own}@a.example", "", Role.MEMBER, Secret("x"), 0.0
        )
        assert account is not None
        app = await apps.create(tx, own, account.number, "App", "free", 0.0)
        await api_keys.create(tx, f"{own}-key", app.number, key, "", scopes, 0.0)

    await database.write(work)
    return key


def stored(folder: Path) -> bytes:
    """Everything that the database keeps in files."""
    return b"".join(file.read_bytes() for file in folder.glob("b.sqlite3*"))


def bearer(text: str) -> dict[str, str]:
    return {**JSON, "Authorization": f"Bearer {text}"}


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic dXNlcjpwYXNz",
        "Bearer bpk_aaaaaaaaaaaaaaaa_" + "a" * 38,
        "bpk_aaaaaaaaaaaaaaaa_" + "a" * 38,
        "Bearer " + "a" * 7000,
        "Bearer é",
    ],
)
async def test_a_wrong_credential_is_refused_on_public_routes_too(
    tmp_path: Path, authorization: str
) -> None:
    async with door(tmp_path) as house:
        headers = {"Authorization": authorization.encode("latin-1")}
        answer = await house.client.get(PUBLIC, headers=headers)  # type: ignore[arg-type]
        problem(answer, 401, "invalid_credential")
        assert answer.headers["www-authenticate"] == "Bearer"
        answer = await house.client.get("/healthz", headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 200, "health does not look at credentials"


async def test_two_credentials_are_none(tmp_path: Path) -> None:
    async with door(tmp_path, admin_key="hush") as house:
        both = [("Authorization", "Bearer hush"), ("Authorization", "Bearer hush")]
        problem(await house.client.get(PUBLIC, headers=both), 401, "invalid_credential")


async def test_a_key_is_known_until_it_is_revoked(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        key = await key_of(house.database, Scope.NOTIFY)
        good = bearer(key.spelled().reveal())
        problem(await house.client.get(PUBLIC, headers=good), 404, "not_found")
        other = credential.Credential(key.kind, key.name, Secret("a" * 32)).spelled().reveal()
        problem(await house.client.get(PUBLIC, headers=bearer(other)), 401, "invalid_credential")
        answer = await house.client.get("/api/admin/instances", headers=good)
        problem(answer, 403, "operators_only")


async def test_a_key_without_the_scope_is_refused(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        key = await key_of(house.database, Scope.READ)
        body = {"channel": "news", "title": "t"}
        headers = bearer(key.spelled().reveal())
        answer = await house.client.post("/api/notify", json=body, headers=headers)
        problem(answer, 403, "missing_scope")


@pytest.mark.parametrize("query", ["key=bpk_aaaa", "x=1&access_token=eyJhbGciOi", "t=bpr_x"])
async def test_a_credential_in_the_url_is_refused(tmp_path: Path, query: str) -> None:
    async with door(tmp_path) as house:
        problem(await house.client.get(f"{PUBLIC}?{query}"), 401, "credential_in_query")


async def test_the_hash_in_the_store_is_not_the_key(tmp_path: Path) -> None:
    async with door(tmp_path) as house:
        key = await key_of(house.database, Scope.NOTIFY)
        for text in (key.hash, f"{key.prefix}_{key.hash}", key.prefix):
            answer = await house.client.get(PUBLIC, headers=bearer(text))
            problem(answer, 401, "invalid_credential")
        assert key.secret.reveal().encode() not in stored(tmp_path)
