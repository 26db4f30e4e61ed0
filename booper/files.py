"""Files of other programs, behind the Files port. Read in a thread: a disk may be far away."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import trio


class LocalFiles:
    """The machine's own files."""

    async def read(self, path: str, *, limit: int) -> bytes | None:
        # A reader writes nothing, so one that hangs may be left behind.
        return await trio.to_thread.run_sync(_read, path, limit, abandon_on_cancel=True)


def _read(path: str, limit: int) -> bytes | None:
    try:
        # Not blocking: the name may be that of a pipe, whose opening waits for a writer.
        file = os.open(Path(path).expanduser(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError, RuntimeError):  # not there, not a path, nobody's home
        return None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        data = b""
        while len(data) <= limit and (part := os.read(file, limit + 1 - len(data))):
            data += part
    except OSError:
        return None
    finally:
        os.close(file)
    return data if len(data) <= limit else None
