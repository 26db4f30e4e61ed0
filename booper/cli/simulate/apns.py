"""`booper simulate apns`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from booper.cli.simulate.running import Options, Show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.simulators.apns import ApnsSimulator

TOPIC = "com.example.app"
FAULT = '{"fault": {"kind": "answer", "status": 503, "reason": "ServiceUnavailable"}, "times": 5}'


def apns(
    options: Options = Options(),  # noqa: B008 - frozen
    *,
    fast: Annotated[bool, Parameter(negative="")] = False,
    delay: Annotated[float, Parameter(validator=validators.Number(gte=0, lte=60))] = 0.0,
    streams: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=10_000))] = 1000,
) -> None:
    """Run an Apple Push Notification service until SIGINT or SIGTERM, then leave with 0.

    It makes a signing key and a certificate authority of its own at every start, and says how to
    point an instance at it. Whatever is sent to it stays on this machine.

    Parameters
    ----------
    fast
        Serve by the engine's own server twin, for measurements: the same answers, far quicker.
    delay
        Seconds between a request and its answer, as if the server were far away; with --fast only.
    streams
        How many requests a connection may have open.
    """
    if delay and not fast:
        sys.exit("booper simulate apns: --delay needs --fast")

    def make(folder: Path) -> tuple[ApnsSimulator, Mapping[str, str]]:
        """A simulator, and a signing key it knows."""
        from booper.simulators.apns import Account, ApnsSimulator, Habits, generate_key
        from booper.simulators.fast import FastApnsSimulator

        key = generate_key(topics=frozenset({TOPIC}))
        key_file = folder / f"AuthKey_{key.team_key.key_id}.p8"
        key_file.touch(mode=0o600)
        key_file.write_text(key.private_key_pem)
        account, habits = Account([key.team_key]), Habits(streams=streams)
        simulator = (
            FastApnsSimulator(account, habits=habits, delay=delay)
            if fast
            else ApnsSimulator(account, habits=habits)
        )
        return simulator, {
            "key_file": str(key_file),
            "key_id": key.team_key.key_id,
            "team_id": key.team_key.team_id,
            "topic": TOPIC,
        }

    settings = {
        "key_id": "key_id",
        "team_id": "team_id",
        "topic": "topic",
        "private_key_file": "key_file",
        "url": "url",
        "ca_file": "ca_file",
    }
    Show("apns", "APNs", make, settings, FAULT).run(options)
