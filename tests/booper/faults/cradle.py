"""Where the fault plan's processes come from: one that has imported Booper forks itself for each.

A life then begins in a tenth of a second, which makes room for many. It runs `booper …` as it is,
with a process id, files and sockets of its own, and ends by whatever signal it is sent. If the
tests die, the cradle sees the end of its standard input and takes all its children with it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[3]
PROGRAMS = {
    "booper": "booper.cli",
    "unwell": "tests.booper.faults.unwell",
}
_BEFOREHAND = (
    "booper.cli.serve",
    "booper.cli.simulate.apns",
    "booper.simulators.apns",
    "booper.simulators.fast",
    "booper.simulators.control",
    "trio",
)


class Stillborn(Exception):
    """A process that ended without a word; what stands in its log."""


class Life:
    """One process. Its standard output and its log are files."""

    def __init__(self, cradle: Cradle, pid: int, out: Path, log: Path) -> None:
        self.pid = pid
        self.out = out
        self.log = log
        self._cradle = cradle
        self._handle = os.pidfd_open(pid)
        self._status: int | None = None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens to one that has ended."""
        if self._status is None:
            signal.pidfd_send_signal(self._handle, number)

    async def ended(self, patience: float = 60.0) -> int:
        """Its exit status, once it has ended; negative: the signal that ended it."""
        if self._status is None:
            with trio.fail_after(patience):
                await trio.lowlevel.wait_readable(self._handle)
            os.close(self._handle)
            self._status = self._cradle.status(self.pid)
        return self._status

    async def first_line(self, patience: float = 60.0) -> str:
        """What it says first, as soon as it has; fails if it ends without a word."""
        with trio.fail_after(patience):
            while not (line := self.out.read_text()).endswith("\n"):
                if self.gone and not self.out.read_text():
                    raise Stillborn(self.log.read_text()[-2000:])
                await trio.sleep(0.01)
        return line.splitlines()[0]

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        if self._status is not None:
            return True
        state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "Z"


class Cradle:
    """The tests' end of it."""

    def __init__(self) -> None:
        own = {name: it for name, it in os.environ.items() if not name.startswith("BOOPER_")}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=own,  # they would be settings
        )

    def bear(self, command: Sequence[str], out: Path, log: Path) -> Life:
        """A process that runs a program of PROGRAMS with these arguments."""
        for file in (out, log):
            file.touch()
        out.write_text("")
        pid = self._ask(command=list(command), out=str(out), log=str(log))
        return Life(self, pid, out, log)

    def status(self, pid: int) -> int:
        """The exit status of a child that has ended."""
        return self._ask(wait=pid)

    def close(self) -> None:
        """Every child is killed."""
        with self._process:
            pass

    def _ask(self, **request: Any) -> int:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(request).encode() + b"\n")
        stdin.flush()
        return int(stdout.readline())


def main() -> None:
    """The other end: bear a child, or wait for one, for each line of standard input."""
    sys.path.insert(0, str(ROOT))
    for name in _BEFOREHAND:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    alive: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if pid := request.get("wait"):
            answer = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            alive.discard(pid)
        else:
            answer = os.fork()
            if answer == 0:
                _live(**request)
            alive.add(answer)
        print(answer, flush=True)  # noqa: T201
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _live(command: list[str], out: str, log: str) -> None:
    """Be that program, and end with its exit status."""
    status = 1
    try:
        for number, (path, flags) in enumerate(
            (
                (os.devnull, os.O_RDONLY),
                (out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
                (log, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
            )
        ):
            opened = os.open(path, flags, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        sys.argv = command
        importlib.import_module(PROGRAMS[command[0]]).main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
