"""A throw-away pgbouncer in transaction mode, in front of a server that somebody else runs."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from booper.bench.throwaway import wait

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 6432
SERVERS = 2  # connections to the server, which all clients take turns on


@contextmanager
def pgbouncer(url: str) -> Iterator[str | None]:
    """The URL of that database behind a pgbouncer; None where the program is missing."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        yield None
        return
    parts = urlsplit(url)
    name = parts.path.lstrip("/")
    host = parts.hostname or parse_qs(parts.query)["host"][0]
    way = f"host={host} port={parts.port or 5432} dbname={name} user={parts.username or 'root'}"
    if parts.password:
        way += f" password={unquote(parts.password)}"
    with tempfile.TemporaryDirectory(prefix="booper-pgbouncer-") as place:
        folder = Path(place)
        lines = ["[databases]", f"{name} = {way}", "[pgbouncer]", "pool_mode = transaction"]
        lines += ["auth_type = any", "listen_addr =", f"listen_port = {PORT}"]
        lines += [f"unix_socket_dir = {folder}", f"default_pool_size = {SERVERS}"]
        lines += ["max_client_conn = 100", "query_wait_timeout = 20"]
        (folder / "pgbouncer.ini").write_text("\n".join(lines))
        command = ["setpriv", "--pdeathsig=KILL", program]
        if os.getuid() == 0:  # it refuses to be run by root
            user = next(u for u in pwd.getpwall() if u.pw_name in ("postgres", "nobody"))
            for one in (folder, folder / "pgbouncer.ini"):
                os.chown(one, user.pw_uid, -1)
            reuid = [f"--reuid={user.pw_uid}", "--clear-groups"]
            command = ["setpriv", *reuid, "--pdeathsig=KILL", program]
        log = folder / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*command, folder / "pgbouncer.ini"], cwd=folder, stdout=file, stderr=file
            )
        try:
            wait(process, (folder / f".s.PGSQL.{PORT}").exists, log.read_text)
            yield f"postgresql://{parts.username or 'root'}@/{name}?host={folder}&port={PORT}"
        finally:
            process.kill()
            process.wait(20)
