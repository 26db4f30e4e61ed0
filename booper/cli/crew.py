"""Crew: `booper serve --processes N`: a parent that keeps N processes running on one port.

The parent opens the port and hands it down, so that a process that dies takes no waiting
connection with it. Each process is a whole Booper and a node of its own. One that dies is started
again, with a back-off; the parent itself touches no database. If the parent dies, however that
happens, a pipe closes and the processes stop in order: nobody is left holding the port.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NamedTuple

import structlog
import trio

from booper.api.front import listen, url_of
from booper.cli.logs import log_to_stderr
from booper.domain.errors import Misconfigured
from supervisors import Backoff, ChildSpec, Intensity, RunningTree, SupervisorSpec, run_tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from actors import StartedCallback
    from booper.settings import Settings
    from supervisors import Report

log = structlog.get_logger()

VARIABLE = "BOOPER_MEMBER"
MARGIN = 5.0  # seconds that a process may take longer to end than its own `shutdown`
_WRONG = 2  # the status of a program that was told something wrong


class Place(NamedTuple):
    """Where one of the processes stands: its number from 1, the parent's pipe, the port's
    descriptors."""

    number: int
    pipe: int
    listeners: tuple[int, ...]

    @property
    def text(self) -> str:
        return ":".join(str(one) for one in (self.number, self.pipe, *self.listeners))


def place(environment: Mapping[str, str]) -> Place | None:
    """Where this process stands in a crew, if it is in one. Its own children are not."""
    text = environment.get(VARIABLE)
    if text is None:
        return None
    try:
        number, pipe, *listeners = (int(one) for one in text.split(":"))
        for descriptor in (pipe, *listeners):
            os.set_inheritable(descriptor, False)
    except (ValueError, OSError):
        raise Misconfigured(
            f"{VARIABLE} is set by `booper serve --processes` alone.", code="config_value"
        ) from None
    return Place(number, pipe, tuple(listeners))


async def parent_gone(own: Place) -> None:
    """Return when the parent has ended."""
    await trio.lowlevel.wait_readable(own.pipe)


class Member:
    """One of the processes, through all its lives."""

    def __init__(self, command: Sequence[str], own: Place) -> None:
        self._command = command
        self._place = own
        self._process: trio.Process | None = None
        self._stopping = False
        self.listens = trio.Event()  # its first life was ready
        self.wrong = trio.Event()  # its first life could not even begin
        self.killed = False

    def stop(self) -> None:
        """Ask it to end in order; once, since a second time would end it at once."""
        if not self._stopping:
            self._stopping = True
            self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """To the process that runs now, if one does."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def live(self, *, task_status: StartedCallback) -> None:
        """One life, as a supervisor's child. Raises ChildProcessError if it ends unasked."""
        process = self._process = await trio.lowlevel.open_process(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**os.environ, VARIABLE: self._place.text},
            pass_fds=(self._place.pipe, *self._place.listeners),
            start_new_session=True,  # Ctrl-C is the parent's to pass on
        )
        log.info("process_started", member=self._place.number, pid=process.pid)
        try:
            if self._stopping:  # asked while it was being started
                self.signal(signal.SIGTERM)
            task_status.started(self.stop)
            await self._hear(process)
            status = await process.wait()
        finally:
            if process.returncode is None:
                log.error("process_killed", member=self._place.number, pid=process.pid)
                self.killed = True
            self.signal(signal.SIGKILL)
            with trio.CancelScope(shield=True):  # killed, it ends
                await process.wait()
        if self._stopping:
            return
        if status == _WRONG and not self.listens.is_set():
            self.wrong.set()
        log.error("process_ended", member=self._place.number, pid=process.pid, status=status)
        raise ChildProcessError(f"process {self._place.number} ended with status {status}")

    async def _hear(self, process: trio.Process) -> None:
        """Its line that it listens; then whatever it prints, to nobody."""
        assert process.stdout is not None  # noqa: S101 - we asked for a pipe
        async with process.stdout as words:
            async for part in words:
                if b"listens" in part:
                    self.listens.set()


async def run(settings: Settings, count: int, command: Sequence[str]) -> int:
    """Keep `count` processes of `command` running until SIGTERM or SIGINT; then let them drain.

    The exit status: 0, or 1 if one did not end in time and was killed. Raises Misconfigured, with
    nothing left running, for settings that several cannot share, and where a process says at its
    first start that it was told something wrong.
    """
    _check(settings)
    with (
        trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals,
        ExitStack() as opened,
    ):
        listeners = await listen(settings.http)
        for listener in listeners:
            opened.callback(listener.socket.close)
        url = url_of(settings.http.host, listeners[0].socket.getsockname()[1])
        ear, mouth = os.pipe()
        opened.callback(os.close, mouth)
        opened.callback(os.close, ear)
        ports = tuple(listener.socket.fileno() for listener in listeners)
        members = [Member(command, Place(n + 1, ear, ports)) for n in range(count)]
        spec = SupervisorSpec(
            intensity=Intensity(count * 100, 5.0),  # it goes on trying, more and more slowly
            backoff=Backoff(first=0.1),
            children=[
                ChildSpec(f"process/{n}", one.live, shutdown=settings.shutdown + MARGIN)
                for n, one in enumerate(members, 1)
            ],
        )
        async with trio.open_nursery() as watch:
            async with trio.open_nursery() as nursery:
                tree: RunningTree = await nursery.start(_run, spec)

                def stop() -> None:
                    for listener in listeners:  # nobody waits at a door that stays shut
                        listener.socket.close()
                    for one in members:
                        one.stop()
                    tree.stop()

                watch.start_soon(_on_signals, signals, members, stop)
                for one in members:
                    watch.start_soon(_on_wrong, one, stop)
                watch.start_soon(_announce, url, members)
            watch.cancel_scope.cancel()
    if any(one.wrong.is_set() for one in members):
        raise Misconfigured("The processes could not start, as said above.", code="not_started")
    return int(any(one.killed for one in members))


def _check(settings: Settings) -> None:
    if not settings.on_postgresql:
        raise Misconfigured(
            "--processes needs PostgreSQL: SQLite serves one process.", code="needs_postgresql"
        )
    if not settings.redis:
        log.warning("limits_per_process", detail="without `redis` each process counts for itself")


async def _run(spec: SupervisorSpec, *, task_status: trio.TaskStatus[RunningTree]) -> None:
    await run_tree(spec, name="crew", reporter=_told, task_status=task_status)


def _told(_: Report) -> None:
    """A process that ended has been logged already."""


async def _announce(url: str, members: Sequence[Member]) -> None:
    for one in members:
        await one.listens.wait()
    print(f"Booper listens on {url}", flush=True)


async def _on_wrong(member: Member, stop: Callable[[], None]) -> None:
    await member.wrong.wait()
    stop()


async def _on_signals(
    signals: AsyncIterator[int], members: Sequence[Member], stop: Callable[[], None]
) -> None:
    """The first asks; the second is passed on, and ends them at once."""
    asked = False
    async for _ in signals:
        if asked:
            for one in members:
                one.signal(signal.SIGTERM)
        stop()
        asked = True


def command_of(options: Mapping[str, object]) -> list[str]:
    """The command line of one process."""
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    return [sys.executable, "-m", "booper", "serve", *given]


def log_as_member(level: str, own: Place | None) -> None:
    """Log lines that tell the process, in a crew."""
    log_to_stderr(level, process=own.number if own is not None else None)
