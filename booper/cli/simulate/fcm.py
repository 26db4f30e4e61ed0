"""`booper simulate fcm`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from booper.cli.simulate.running import Options, Show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.cli.simulate.running import Simulator
    from booper.simulators.fcm import FcmSimulator

PROJECT = "booper-simulated"
FAULT = '{"fault": {"kind": "answer", "status": 404, "reason": "UNREGISTERED"}, "times": 5}'


def fcm(
    options: Options = Options(),  # noqa: B008 - frozen
    *,
    fast: Annotated[bool, Parameter(negative="")] = False,
    delay: Annotated[float, Parameter(validator=validators.Number(gte=0, lte=60))] = 0.0,
    streams: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=10_000))] = 1000,
) -> None:
    """Run Firebase Cloud Messaging until SIGINT or SIGTERM, then leave with 0.

    It makes a project with a service account at every start, checks credentials and messages as
    Google does, over HTTP/2 and HTTP/1.1, and hands out access tokens at the account's token_uri.
    Whatever is sent to it stays on this machine.

    Parameters
    ----------
    fast
        Serve by the engine's own server twin, for measurements: the same answers, far quicker;
        HTTP/2 and self-signed credentials alone.
    delay
        Seconds between a request and its answer, as if the server were far away; with --fast only.
    streams
        How many requests a connection may have open.
    """
    if delay and not fast:
        sys.exit("booper simulate fcm: --delay needs --fast")
    from booper.simulators.fcm import generate_account

    issued = generate_account(PROJECT)

    def make(_: Path) -> tuple[FcmSimulator, Mapping[str, str]]:
        """A simulator that knows the account."""
        from booper.simulators.fast import FastFcmSimulator
        from booper.simulators.fcm import FcmSimulator, Project
        from booper.simulators.serving import Habits

        project, habits = Project(PROJECT, [issued.account]), Habits(streams=streams)
        simulator = (
            FastFcmSimulator(project, habits=habits, delay=delay)
            if fast
            else FcmSimulator(project, habits=habits)
        )
        return simulator, {"project_id": PROJECT}

    def finish(simulator: Simulator, folder: Path) -> Mapping[str, str]:
        """The service account's file, with the token endpoint in it."""
        file = folder / "service-account.json"
        file.touch(mode=0o600)
        file.write_text(issued.file(f"{simulator.url}/token"))
        return {"credentials_file": str(file), "token_uri": f"{simulator.url}/token"}

    settings = {"credentials_file": "credentials_file", "url": "url", "ca_file": "ca_file"}
    Show("fcm", "FCM", make, settings, FAULT, finish=finish).run(options)
