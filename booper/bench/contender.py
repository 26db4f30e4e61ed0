"""One contender in a process of its own: a Job on standard input, its Result on standard output."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import msgspec

from booper.bench.job import Job, Result

if TYPE_CHECKING:
    from collections.abc import Callable


def run(job: Job) -> Result:
    """Let the contender named in the job do it. Each imports what it alone needs."""
    if job.core is not None:
        os.sched_setaffinity(0, {job.core})
    return _contenders()[job.contender](job)


def _contenders() -> dict[str, Callable[[Job], Result]]:
    from booper.bench import actor, pool, rivals

    return {
        "batch": pool.apns,
        "batch_fcm": pool.fcm,
        "instance": actor.apns,
        "instance_fcm": actor.fcm,
        "aioapns": rivals.aioapns,
        "httpx": rivals.httpx,
        "h2load": rivals.h2load,
    }


if __name__ == "__main__":
    result = run(msgspec.json.decode(sys.stdin.buffer.read(), type=Job))
    sys.stdout.buffer.write(msgspec.json.encode(result))
