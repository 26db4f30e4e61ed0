"""Processes: one that ended is known to be gone; whoever cannot be seen is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from booper.processes import LocalProcesses

pytestmark = pytest.mark.real
PRINT = "from booper.processes import LocalProcesses as P; print(P().mark, flush=True); input()"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux shows its processes")
def test_a_process_that_ended_is_gone_reaped_or_not() -> None:
    here = LocalProcesses()
    other = subprocess.Popen(
        [sys.executable, "-c", PRINT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout is not None
        mark = other.stdout.readline().strip()
        assert mark.rpartition("/")[0].rpartition("/")[2] == str(other.pid)
        assert not here.gone(mark)
        other.kill()
        other.stdout.read()
        assert here.gone(mark) or not _dead(other.pid)
    assert here.gone(mark)


def _dead(number: int) -> bool:
    return "Z" in Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]


def test_this_process_lives_and_its_number_used_again_is_somebody_else() -> None:
    here = LocalProcesses()
    assert here.host
    assert not here.gone(here.mark)
    assert here.gone(here.mark.rpartition("/")[0] + "/1")


@pytest.mark.parametrize("mark", ["", "/", "a/b/c/d", "x", "1/2/3/4/5", "../../1/2"])
def test_whoever_cannot_be_seen_from_here_is_not_gone(mark: str) -> None:
    assert not LocalProcesses().gone(mark)
