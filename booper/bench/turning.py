"""The servers of the rotation benchmark: an Apple and a Google that know several keys.

    python -m booper.bench.turning FOLDER DELAY

Both answer DELAY seconds after a request came, as if they were far away, and keep ledgers. It says
where it is, and what keys are good, in one line of JSON, and ends with its standard input.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import trio

from booper.simulators.apns import Account, generate_key
from booper.simulators.control import control_app, serve_control
from booper.simulators.fast import FastApnsSimulator, FastFcmSimulator
from booper.simulators.fcm import Project, generate_account

KEYS = 6  # good ones of each kind


class Turning(msgspec.Struct, frozen=True):
    """One provider: its instance's settings but for the credential, the credentials (the last is
    well-formed and not known there), and where its ledger is read."""

    provider: str
    settings: dict[str, Any]
    credentials: list[dict[str, Any]]
    control_url: str


async def serve(folder: Path, delay: float) -> None:
    own = [generate_key(key_id=f"KEY{n:07d}") for n in range(KEYS + 1)]
    apns = FastApnsSimulator(Account([key.team_key for key in own[:-1]]), delay=delay)
    issued = [generate_account(key_id=f"{n:040d}") for n in range(KEYS + 1)]
    project = Project(accounts=[one.account for one in issued[:-1]])
    fcm = FastFcmSimulator(project, authority=apns.authority, delay=delay)
    ca_file = folder / "ca.pem"
    ca_file.write_text(apns.ca_pem)
    async with trio.open_nursery() as nursery:
        await nursery.start(apns.serve)
        await nursery.start(fcm.serve)
        urls = [
            await nursery.start(serve_control, control_app("bench", ledger, apns.faults), 0)
            for ledger in (apns.ledger, fcm.ledger)
        ]
        fixed = {"team_id": own[0].team_key.team_id, "topic": "com.example.app", "url": apns.url}
        shown = [
            Turning(
                "apns",
                {**fixed, "ca_file": str(ca_file)},
                [{"key_id": k.team_key.key_id, "private_key": k.private_key_pem} for k in own],
                urls[0],
            ),
            Turning(
                "fcm",
                {"url": fcm.url, "ca_file": str(ca_file), "project_id": project.project_id},
                [{"credentials": one.file(fcm.url)} for one in issued],
                urls[1],
            ),
        ]
        sys.stdout.buffer.write(msgspec.json.encode(shown) + b"\n")
        sys.stdout.buffer.flush()
        async with trio.lowlevel.FdStream(os.dup(0)) as standard_input:
            async for _ in standard_input:
                pass
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(serve, Path(sys.argv[1]), float(sys.argv[2]))
