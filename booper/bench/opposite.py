"""The server of the engine's benchmark: the fast simulators in a process of their own.

    python -m booper.bench.opposite FOLDER CORE DELAY STREAMS

It stays on core CORE (-1: anywhere), says where it is in one line of JSON, and ends with its
standard input.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import trio

from booper.bench.job import Place
from booper.simulators.apns import Account, Habits, generate_key
from booper.simulators.fast import FastApnsSimulator, FastFcmSimulator
from booper.simulators.fcm import Project

TOPIC = "com.example.app"


async def serve(folder: Path, delay: float, streams: int) -> None:
    key = generate_key(topics=frozenset({TOPIC}))
    habits = Habits(streams=streams, faithful_streams=False)  # for rivals that count 1 for long
    apns = FastApnsSimulator(Account([key.team_key]), habits=habits, delay=delay)
    fcm = FastFcmSimulator(
        Project("bench"), authority=apns.authority, habits=habits, delay=delay, strangers=True
    )
    ca_file, key_file = folder / "ca.pem", folder / f"AuthKey_{key.team_key.key_id}.p8"
    ca_file.write_text(apns.ca_pem)
    key_file.write_text(key.private_key_pem)
    async with trio.open_nursery() as nursery:
        await nursery.start(apns.serve)
        await nursery.start(fcm.serve)
        place = Place(
            host="localhost",
            port=apns.port,
            ca_file=str(ca_file),
            key_file=str(key_file),
            key_id=key.team_key.key_id,
            team_id=key.team_key.team_id,
            topic=TOPIC,
            fcm_port=fcm.port,
            fcm_project=fcm.project.project_id,
            pid=os.getpid(),
        )
        sys.stdout.buffer.write(msgspec.json.encode(place) + b"\n")
        sys.stdout.buffer.flush()
        async with trio.lowlevel.FdStream(os.dup(0)) as standard_input:
            async for _ in standard_input:
                pass
        nursery.cancel_scope.cancel()


def main() -> None:
    folder, core, delay, streams = sys.argv[1:]
    if int(core) >= 0:
        os.sched_setaffinity(0, {int(core)})
    trio.run(serve, Path(folder), float(delay), int(streams))


if __name__ == "__main__":
    main()
