"""`booper migrate`: once, whoever asks; a look changes nothing; a newer database is refused."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import trio

from booper.cli.migrate import migrate
from booper.domain.errors import Misconfigured
from booper.settings import Settings
from booper.store import opening
from booper.store.migrate import shipped
from booper.store.sqlite import open_sqlite
from tests.booper import servers

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
ALL = len(shipped())


def told(
    capsys: pytest.CaptureFixture[str], database: str, *, check: bool = False
) -> tuple[int, Any]:
    """The exit status, and what was said as JSON."""
    with pytest.raises(SystemExit) as ended:
        migrate(database=database, as_json=True, check=check)
    assert isinstance(ended.value.code, int)
    return ended.value.code, json.loads(capsys.readouterr().out)


def test_a_look_changes_nothing_and_a_migration_is_done_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = f"sqlite:{tmp_path / 'b.sqlite3'}"
    status, found = told(capsys, database, check=True)
    assert (status, found["applied"], len(found["waiting"])) == (1, 0, ALL)
    assert not list(tmp_path.iterdir())
    assert told(capsys, database) == (0, {"applied": ALL, "applied_now": ALL, "waiting": []})
    assert told(capsys, database) == (0, {"applied": ALL, "applied_now": 0, "waiting": []})
    assert told(capsys, database, check=True)[0] == 0
    with closing(sqlite3.connect(tmp_path / "b.sqlite3")) as opened:
        opened.execute("INSERT INTO migrations (number, name, checksum) VALUES (9999, 'x', 'y')")
        opened.commit()
    for check in (True, False):
        with pytest.raises(Misconfigured) as caught:
            migrate(database=database, check=check)
        assert caught.value.code == "database_newer"
        assert "newer program" in caught.value.detail


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_of_several_at_once_one_migrates_and_the_others_wait(
    tmp_path: Path, postgresql_server: str, kind: str
) -> None:
    database = f"sqlite:{tmp_path / 'b.sqlite3'}"
    if kind == "postgresql":
        database = await servers.empty_database(postgresql_server)
    settings = Settings(database=database)
    assert (await opening.standing(settings)).applied == 0
    done = []

    async def one() -> None:
        done.append(await opening.migrated(settings))

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(one)
    assert sorted(done) == [0, 0, 0, ALL]
    assert await opening.standing(settings) == (ALL, [])


async def test_a_file_that_is_being_served_is_not_waited_for_for_ever(
    tmp_path: Path, autojump_clock: object
) -> None:
    path = tmp_path / "b.sqlite3"
    async with open_sqlite(path, slow=False):
        settings = Settings(database=f"sqlite:{path}")
        assert (await opening.standing(settings)).applied == ALL
        with pytest.raises(Misconfigured) as caught:
            await opening.migrated(settings)
        assert caught.value.code == "database_in_use"
        assert trio.current_time() >= opening.WAIT
