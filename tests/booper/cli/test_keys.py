"""`booper keys rotate`: sessions get a new signing key at a running Booper, and nobody notices."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from tests.booper.cli.test_serve import PROGRAM, ROOT, Serve, plain

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
ANN = {"email": "ann@a.example", "password": "correct horse battery"}


async def keys(url: str, *words: str) -> tuple[int, str]:
    """Status, and what it said."""
    with trio.fail_after(60):
        ended = await trio.run_process(
            [*PROGRAM, "keys", *words],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            cwd=ROOT,
            env=plain({"BOOPER_URL": url, "BOOPER_ADMIN_KEY": "hush"}),
        )
    return ended.returncode, (ended.stdout + ended.stderr).decode()


async def test_a_new_signing_key_logs_nobody_out(tmp_path: Path) -> None:
    async with (
        Serve(tmp_path, BOOPER_ADMIN_KEY="hush") as booper,
        httpx.AsyncClient(base_url=booper.url) as client,
    ):
        opened = (await client.post("/api/accounts", json=ANN)).json()
        own = {"Authorization": f"Bearer {opened['access_token']}"}

        async def status() -> int:
            return (await client.get("/api/accounts/me", headers=own)).status_code

        said, text = await keys(booper.url, "rotate", "--json")
        old, new = json.loads(text)["keys"]
        assert (said, await status()) == (0, 200)
        assert await keys(booper.url, "retire", old) == (0, f"{new}  signs\n")
        assert await status() == 401
        body = {"refresh_token": opened["refresh_token"]}
        fresh = await client.post("/api/sessions/refresh", json=body)
        assert fresh.status_code == 200, "the session lives on, under the new key"
        said, text = await keys(booper.url, "retire", new)
        assert (said, text.count("\n")) == (2, 1)
        assert "not_found" in text
