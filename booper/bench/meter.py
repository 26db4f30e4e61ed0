"""Processor time, wall time and memory of a timed part, measured from inside the process."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from time import perf_counter

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Meter:
    """Runs from its making to `stop`. `pid` is the other side's process, 0 if it is not watched.

    Ended children count as ours: a contender may be a program of its own.
    """

    def __init__(self, pid: int = 0) -> None:
        self._pid = pid
        self.seconds = self.cpu = 0.0
        self.server_cpu: float | None = None
        self._server = _ticks(pid)
        self._cpu = _own()
        self._begun = perf_counter()

    def stop(self) -> None:
        """Fill in `seconds`, `cpu` and, if it is watched, `server_cpu`."""
        self.seconds = perf_counter() - self._begun
        self.cpu = _own() - self._cpu
        if self._pid:
            self.server_cpu = _ticks(self._pid) - self._server


def resident() -> float:
    """This process's resident memory in MiB."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE / 2**20


def resident_of(pid: int, *, peak: bool = False) -> float:
    """Another process's resident memory in MiB; its `peak` since `watch_peak`."""
    name = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def watch_peak(pid: int) -> None:
    """Forget the peak so far."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")


def _own() -> float:
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, both))


def _ticks(pid: int) -> float:
    """User and system seconds of a process so far, in steps of 10 ms."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK
