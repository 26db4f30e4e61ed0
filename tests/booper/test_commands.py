"""Commands and files of the machine: what runs, what it may see, and that it ends."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
import trio

from booper.commands import LocalCommands
from booper.files import LocalFiles

if TYPE_CHECKING:
    from pathlib import Path

    from booper.ports.access import Ran

pytestmark = pytest.mark.real
HERE = {"PATH": os.environ["PATH"], "BOOPER_ADMIN_KEY": "hush"}


async def run(
    *argv: str, timeout: float = 20.0, limit: int = 1000, extra: dict[str, str] | None = None
) -> Ran:
    return await LocalCommands(HERE).run(argv, timeout=timeout, limit=limit, extra=extra or {})


async def test_w10_what_it_prints_is_the_output_and_stderr_is_not() -> None:
    assert await run("sh", "-c", "echo warning >&2; echo text") == (0, b"text\n", "")


async def test_the_status_is_told() -> None:
    assert (await run("sh", "-c", "echo text; exit 3")).status == 3


@pytest.mark.parametrize("argv", [["/no/such/program"], ["/"], ["a\0b"], [""]])
async def test_w3_a_missing_program_is_an_answer(argv: list[str]) -> None:
    ran = await run(*argv)
    assert ran.status is None
    assert "cannot be started" in ran.why


async def test_nothing_is_asked_of_a_person() -> None:
    assert await run("cat") == (0, b"", "")


async def test_it_sees_what_we_add_and_none_of_our_settings() -> None:
    ran = await run("env", extra={"FLY_APP": "shop"})
    assert b"FLY_APP=shop" in ran.output
    assert b"hush" not in ran.output


async def test_an_argument_is_never_a_shell_s() -> None:
    assert (await run("echo", "$(id); `id`")).output == b"$(id); `id`\n"


async def gone(pid: int) -> None:
    """Wait until no process has that number, or only a dead one that nobody reaped."""
    with trio.fail_after(20):
        while True:
            try:
                state = (
                    (await trio.Path(f"/proc/{pid}/stat").read_text()).rpartition(")")[2].split()[0]
                )
            except (FileNotFoundError, ProcessLookupError):
                return
            if state in "ZX":
                return
            await trio.sleep(0.01)


FAMILY = "sleep 600 & echo $! > {0}; echo $$ >> {0}; {1}wait"


async def test_after_its_time_it_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ran = await run("sh", "-c", FAMILY.format(pids, ""), timeout=0.5)
    assert ran == (None, b"", "it took more than 0.5 seconds")
    for pid in pids.read_text().split():
        await gone(int(pid))


async def test_a_cancelled_caller_leaves_nobody_behind(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, "sh", "-c", FAMILY.format(pids, ""))
            while not pids.exists() or len(pids.read_text().split()) < 2:
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
    for pid in pids.read_text().split():
        await gone(int(pid))


async def test_a_child_left_behind_does_not_outlive_its_parent(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ran = await run("sh", "-c", f"sleep 600 >/dev/null & echo $! > {pids}; echo text")
    assert ran == (0, b"text\n", "")
    await gone(int(pids.read_text()))


async def test_endless_output_is_cut_off() -> None:
    ran = await run(sys.executable, "-c", "while True: print('x' * 1000)")
    assert ran == (None, b"", "it printed more than 1000 bytes")


async def test_a_program_that_closes_its_output_and_stays_is_timed_out() -> None:
    ran = await run("sh", "-c", "exec >&-; sleep 600", timeout=0.3)
    assert ran.why == "it took more than 0.3 seconds"


async def test_files(tmp_path: Path) -> None:
    files = LocalFiles()
    (tmp_path / "there").write_bytes(b"text")
    os.mkfifo(tmp_path / "pipe")
    assert await files.read(str(tmp_path / "there"), limit=4) == b"text"
    assert await files.read(str(tmp_path / "there"), limit=3) is None
    for none in ("missing", "pipe", ".", "there/deeper", "a\0b"):
        assert await files.read(str(tmp_path / none), limit=10) is None
    assert await files.read("~nobody-of-that-name/x", limit=10) is None
