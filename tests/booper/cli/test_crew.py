"""The parent of several processes, with small programs in place of Booper."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
import trio

from booper.cli import crew
from booper.domain.errors import Misconfigured
from booper.settings import Http, Settings
from tests.booper.journeys.nodes import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.real
SETTINGS = Settings(database="postgresql://nowhere/none", shutdown=0.2, http=Http(port=0))
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('listens', flush=True)"
POLITE = "print('listens', flush=True)"


def program(folder: Path, text: str, then: str = "time.sleep(600)") -> list[str]:
    """A command that leaves a line with its place for each of its lives, then does as told."""
    mark = f"open('{folder}/lives', 'a').write(os.environ['BOOPER_MEMBER'] + chr(10))"
    return [sys.executable, "-c", f"import os, signal, sys, time; {mark}; {text}; {then}"]


def lives(folder: Path) -> list[str]:
    file = folder / "lives"
    return file.read_text().splitlines() if file.exists() else []


async def ended(count: int, command: list[str], when: Callable[[], bool]) -> int:
    """The status of a crew that gets SIGTERM once it is so."""
    status = -1

    async def run() -> None:
        nonlocal status
        status = await crew.run(SETTINGS, count, command)

    async def so() -> bool:
        return when()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await until(so, 60)
        os.kill(os.getpid(), signal.SIGTERM)
    return status


async def test_each_has_a_place_of_its_own_at_one_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ready() -> bool:
        return "Booper listens on" in capsys.readouterr().out

    assert await ended(2, program(tmp_path, POLITE), ready) == 0
    one, two = sorted(place.split(":") for place in lives(tmp_path))
    assert (one[0], two[0]) == ("1", "2")
    assert one[1:] == two[1:], "the same pipe and the same port"


async def test_one_that_keeps_dying_is_started_again_and_again(tmp_path: Path) -> None:
    dies = program(tmp_path, POLITE, "sys.exit(3)")
    assert await ended(1, dies, lambda: len(lives(tmp_path)) >= 4) == 0


async def test_one_that_does_not_end_in_time_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(crew, "MARGIN", 0.2)
    deaf = program(tmp_path, DEAF)
    assert await ended(1, deaf, lambda: "listens" in capsys.readouterr().out) == 1


async def test_one_that_cannot_begin_ends_them_all(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        await crew.run(SETTINGS, 2, program(tmp_path, "sys.exit(2)"))
    assert caught.value.code == "not_started"


async def test_sqlite_serves_one_process() -> None:
    with pytest.raises(Misconfigured) as caught:
        await crew.run(Settings(), 2, [])
    assert caught.value.code == "needs_postgresql"
