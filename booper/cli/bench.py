"""`booper bench`: Booper's parts beside others, on the same work, in the same run."""

from __future__ import annotations

import dataclasses
import json as json_lines
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter, validators

app = App(name="bench", help="Measure on this machine, beside others, in one run.")
Count = Annotated[int, Parameter(validator=validators.Number(gte=1))]


@app.command
def kernel(*, count: Count = 20_000, rounds: Count = 5, json: bool = False) -> None:
    """Actor calls and casts beside a bare trio memory channel.

    A ratio is the actor's cost divided by the channel's: at most 3 for calls, 2 for casts.

    Parameters
    ----------
    count
        Operations of each kind in a round.
    rounds
        Rounds; all kinds take turns in each, and the medians count.
    json
        Print one JSON object.
    """
    import trio

    from booper.bench.kernel import measure

    show(dataclasses.asdict(trio.run(measure, count, rounds)), "Kernel", json)


@app.command
def engine(
    *,
    target: str | None = None,
    cafile: Path | None = None,
    key_file: Path | None = None,
    key_id: str = "KEY1234567",
    team_id: str = "TEAM123456",
    topic: str = "com.example.app",
    requests: Count = 200_000,
    streams: Count = 1000,
    rounds: Count = 3,
    delay: Annotated[float, Parameter(validator=validators.Number(gte=0, lte=10))] = 0.0,
    json: bool = False,
) -> None:
    """Booper's sender beside aioapns, httpx and h2load, against one server, on processor time.

    Without a target it sends to a fast simulator of its own, on another core. A ratio_to_… says
    how many times our requests per second of processor time are theirs.

    Parameters
    ----------
    target
        HOST:PORT of another server that takes APNs' requests; it is sent the same requests.
    cafile
        The certificate authority of the target.
    key_file
        The APNs signing key to use with the target, as `booper simulate apns` writes it.
    key_id
        The key's id.
    team_id
        The key's team.
    topic
        The bundle id.
    requests
        Requests of each contender in a round; the slow ones send fewer.
    streams
        How many requests may be open on a connection.
    rounds
        Rounds; all contenders take turns in each, and the medians count.
    delay
        Seconds between a request and its answer: measures what one connection carries, alone.
    json
        Print one JSON object.
    """
    from booper.bench import engine
    from booper.bench.job import Place

    if delay:
        if target is not None:
            raise SystemExit("booper bench engine: --delay is for the simulator, not for a target")
        show(engine.measure_delayed(requests, streams, delay), "Engine, delayed", json)
        return
    place = None
    if target is not None:
        host, _, port = target.rpartition(":")
        if not (host and port.isdigit() and cafile and key_file):
            raise SystemExit("booper bench engine: --target HOST:PORT, --cafile and --key-file")
        place = Place(
            host=host,
            port=int(port),
            ca_file=str(cafile),
            key_file=str(key_file),
            key_id=key_id,
            team_id=team_id,
            topic=topic,
        )
    show(engine.measure(requests, streams, rounds, place), "Engine", json)


def show(figures: dict[str, float], title: str, as_json: bool) -> None:
    """Print figures as a table for people or a line for programs."""
    if as_json:
        print(json_lines.dumps({name: round(value, 4) for name, value in figures.items()}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, show_header=False)
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), f"{value:,.2f}")
    Console().print(table)
