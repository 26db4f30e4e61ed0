"""`booper accounts`: the first operator, on the database itself and at a running Booper."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from booper.cli import desk
from booper.domain.errors import BooperError
from booper.settings import Settings
from tests.booper.cli.test_serve import PROGRAM, ROOT, Serve, plain

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

pytestmark = pytest.mark.real
PASSWORD = "correct horse battery"


async def accounts(
    *words: str, password: str = PASSWORD, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """The command, as a program."""
    with trio.fail_after(30):
        return await trio.run_process(
            [*PROGRAM, "accounts", *words],
            stdin=f"{password}\n".encode(),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            cwd=ROOT,
            env=plain(environment),
        )


async def good(*words: str, **more: str) -> str:
    ended = await accounts(*words, **more)
    assert ended.returncode == 0, ended.stderr
    assert PASSWORD.encode() not in ended.stdout + ended.stderr
    return ended.stdout.decode()


async def bad(*words: str, **more: str) -> str:
    """The one line of a mistake."""
    ended = await accounts(*words, **more)
    assert ended.returncode == 2
    line = ended.stderr.decode()
    assert line.count("\n") == 1, line
    return line


async def logs_in(url: str, password: str) -> int:
    async with httpx.AsyncClient(base_url=url) as client:
        body = {"email": "boss@a.example", "password": password}
        opened = await client.post("/api/sessions", json=body)
        if opened.status_code != 201:
            return opened.status_code
        headers = {"Authorization": f"Bearer {opened.json()['access_token']}"}
        return (await client.get("/api/admin/accounts", headers=headers)).status_code


async def test_the_first_operator(tmp_path: Path) -> None:
    here = {"BOOPER_DATABASE": f"sqlite:{tmp_path / 'b.sqlite3'}"}
    said = await good("create", "Boss@a.example", "--operator", **here)
    assert said.startswith("operator boss@a.example")
    assert "account_exists" in await bad("create", "boss@a.example", **here)
    assert "boss@a.example" in await good("list", COLUMNS="200", **here)
    async with Serve(tmp_path, BOOPER_ADMIN_KEY="hush") as booper:
        assert await logs_in(booper.url, PASSWORD) == 200
        assert "--url" in await bad("list", **here)


async def test_on_the_database_itself(tmp_path: Path) -> None:
    settings = Settings(database=f"sqlite:{tmp_path / 'b.sqlite3'}")
    ann = {"email": "Ann@a.example", "password": PASSWORD, "name": "Ann", "role": "member"}
    made = await desk.run(settings, "create", ann)
    assert (made["email"], made["role"]) == ("ann@a.example", "member")
    new = {"email": "ann@A.example", "password": "another horse battery"}
    await desk.run(settings, "set_password", new)
    assert await desk.run(settings, "every", {}) == [made]
    for what, fields, code in (
        ("create", ann, "account_exists"),
        ("create", {**ann, "email": "ann"}, "invalid_email"),
        ("create", {**ann, "password": "short"}, "invalid_password"),
        ("set_password", {**new, "email": "nobody@a.example"}, "unknown_account"),
    ):
        with pytest.raises((BooperError, BaseExceptionGroup)) as caught:
            await desk.run(settings, what, fields)
        assert [getattr(leaf, "code", "") for leaf in leaves(caught.value)] == [code]


def leaves(error: BaseException) -> list[BaseException]:
    """The errors in a group."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in leaves(one)]
    return [error]


async def test_at_a_running_booper(tmp_path: Path) -> None:
    async with Serve(tmp_path, BOOPER_ADMIN_KEY="hush") as booper:
        there = {"BOOPER_URL": booper.url, "BOOPER_ADMIN_KEY": "hush"}
        await good("create", "boss@a.example", "--operator", "--name", "Boss", **there)
        await good("password", "BOSS@a.example", password="another horse battery", **there)
        assert await logs_in(booper.url, PASSWORD) == 401
        assert await logs_in(booper.url, "another horse battery") == 200
        (one,) = json.loads(await good("list", "--json", **there))
        assert (one["email"], one["role"], one["name"]) == ("boss@a.example", "operator", "Boss")
        there["BOOPER_ADMIN_KEY"] = "wrong"
        assert "invalid_credential" in await bad("list", **there)
    assert "no_answer" in await bad("list", "--url", booper.url)
