"""The sources as the resolver asks them: order, failures, and no secret in what is said of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from booper.domain.access import Source
from booper.domain.secret import Secret
from booper.ports.access import Ran
from booper.providers.recipes import Recipe
from booper.providers.recipes import recipe as configured
from booper.wire import Lost, Reply
from tests.booper.providers.keys import P256, pem
from tests.booper.providers.test_google import ACCOUNT
from tests.booper.workers.stage import recipe, stage, text

if TYPE_CHECKING:
    from pathlib import Path


def google(**more: Any) -> Recipe:
    table = {"preset": "google", "credentials": json.dumps(ACCOUNT), **more}
    return configured("google", table)


def granted(number: int) -> Reply:
    return Reply(200, (), b'{"access_token": "granted-%d", "expires_in": 3599}' % number)


async def test_a_file_comes_before_a_command(tmp_path: Path, autojump_clock: object) -> None:
    async with stage(tmp_path) as play:
        play.files.there["config"] = b"access_token: from-file"
        found = await play.resolvers.acquire(recipe())
        assert (text(found), found.source) == ("from-file", Source.FILE)
        # The file still has it after it was rejected; the command has another.
        refreshed = await play.resolvers.refresh(recipe(), Secret("from-file"))
        assert (text(refreshed), refreshed.source) == ("fresh-1", Source.COMMAND)
        shown = await play.resolvers.inspect(recipe())
        assert shown.asked == {"manual": 2, "store": 2, "file": 2, "command": 1}


async def test_google_grants_once_for_everybody(tmp_path: Path, autojump_clock: object) -> None:
    async with stage(tmp_path) as play:
        play.client.answer = lambda _: granted(len(play.client.sent))
        assert await play.text(google()) == "granted-1"
        assert await play.text(google()) == "granted-1"
        await play.restart(google())
        assert (await play.resolvers.acquire(google())).source is Source.STORE
        assert text(await play.resolvers.refresh(google(), Secret("granted-1"))) == "granted-2"
        assert play.client.open == 0, "nothing is left open for the next hour"


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (Reply(400, (), b'{"error": "invalid_grant"}'), True),
        (Reply(503, (), b""), False),
        (Lost(sent=False, reason="connect_failed"), False),
    ],
)
async def test_google_refuses_or_is_away(
    tmp_path: Path, autojump_clock: object, answer: Reply | Lost, refused: bool
) -> None:
    async with stage(tmp_path) as play:
        play.client.answer = lambda _: answer
        found = await play.resolvers.acquire(google())
        assert (found.access, found.refused) == (None, refused)
        assert found.why.startswith("grant: the authorisation server")
        assert play.client.open == 0


async def test_the_apns_preset_mints_once_and_keeps_it_over_a_restart(
    tmp_path: Path, autojump_clock: object
) -> None:
    table = {"key_id": "ABC1234567", "team_id": "DEF1234567", "private_key": pem(P256)}
    apple = configured("apple", {"preset": "apns", **table})
    async with stage(tmp_path) as play:
        first = await play.resolvers.acquire(apple)
        assert first.source is Source.MINTED
        await play.restart(apple)
        found = await play.resolvers.acquire(apple)
        assert (found.source, text(found)) == (Source.STORE, text(first))


async def test_the_static_preset_needs_no_store(tmp_path: Path, autojump_clock: object) -> None:
    fixed = configured("fixed", {"preset": "static", "access_token": "text"})
    async with stage(tmp_path) as play:
        play.store.away = True
        found = await play.resolvers.acquire(fixed)
        assert (text(found), found.source) == ("text", Source.STATIC)
        turned_down = await play.resolvers.refresh(fixed, Secret("text"))
        assert (turned_down.access, turned_down.refused) == (None, True)
        assert "the store is away" in turned_down.why


async def test_the_fly_preset_reads_its_file_then_runs_its_command(
    tmp_path: Path, autojump_clock: object
) -> None:
    fly = configured("fly", {"preset": "fly", "app": "shop"})
    async with stage(tmp_path) as play:
        play.commands.says = lambda n: Ran(0, b"FlyV1 fm2_made\n")
        assert await play.text(fly) == "FlyV1 fm2_made"
        assert play.commands.runs == [fly.command]
        play.files.there["~/.fly/config.yml"] = b"access_token: fm2_file\n"
        assert text(await play.resolvers.refresh(fly)) == "fm2_file"


@pytest.mark.parametrize(
    "ran",
    [
        Ran(0, b""),
        Ran(0, b"canary\nand a warning: canary"),
        Ran(0, b"\xffcanary"),
        Ran(1, b"canary"),
        Ran(-9, b"canary"),
        Ran(None, b"", "it cannot be started (FileNotFoundError)"),
    ],
)
async def test_w3_w10_a_command_that_fails_is_a_miss_and_says_nothing_secret(
    tmp_path: Path, autojump_clock: object, ran: Ran
) -> None:
    async with stage(tmp_path) as play:
        play.commands.says = lambda n: ran
        with capture_logs() as logs:
            found = await play.resolvers.acquire(recipe())
            shown = await play.resolvers.inspect(recipe())
        assert found.access is None
        assert "command: " in found.why
        assert any(line["event"] == "access_not_found" for line in logs)
        assert "canary" not in repr((found, shown, logs))


async def test_nothing_that_is_said_of_a_token_holds_it(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with stage(tmp_path) as play:
        play.commands.says = lambda n: Ran(0, b"canary-%d" % n)
        with capture_logs() as logs:
            found = await play.resolvers.acquire(recipe())
            again = await play.resolvers.refresh(recipe(), Secret("canary-1"))
            await play.resolvers.set_manual(recipe(), Secret("canary-manual"))
            shown = await play.resolvers.inspect(recipe())
        assert shown.fingerprint
        assert "canary" not in repr((found, again, shown, logs, recipe()))
        assert b"canary" not in (tmp_path / "b.sqlite3").read_bytes()
        assert b"canary" not in (tmp_path / "b.sqlite3-wal").read_bytes()
