"""`booper bench`: Booper's parts beside others, on the same work, in the same run."""

from __future__ import annotations

import dataclasses
import json as json_lines
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter, validators

app = App(name="bench", help="Measure on this machine, beside others, in one run.")
Count = Annotated[int, Parameter(validator=validators.Number(gte=1))]
app.command("booper.cli.outage:outage", name="outage", help="One of five providers goes away.")


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


@app.command
def pipeline(
    *,
    devices: Count = 100_000,
    database: str = "sqlite",
    singles: Count = 100,
    json: bool = False,
) -> None:
    """A campaign through everything: accepted, durable, fanned out, sent, each outcome stored.

    Real processes: booper serve and a fast simulator. What was lost or doubled is counted from
    the simulator's ledger. Beside it, single pushes, alone and behind the campaign: from the 202
    to the provider's acceptance.

    Parameters
    ----------
    devices
        Devices of the campaign.
    database
        "sqlite" or "postgresql" for a throw-away one, or the URL of an empty one.
    singles
        Single pushes that are measured alone.
    json
        Print one JSON object.
    """
    from booper.bench.pipeline import measure

    show(measure(devices, database, singles), "Pipeline", json)


@app.command
def ingest(
    *,
    requests: Count = 2_000,
    batches: Count = 20,
    size: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=10_000))] = 1_000,
    rounds: Count = 5,
    connections: Count = 16,
    database: Literal["both", "sqlite", "postgresql"] = "both",
    json: bool = False,
) -> None:
    """What it costs to accept a notification for good, beside a handler that only answers.

    cpu_ratio: processor time of a durable POST /api/notify divided by that of the trivial handler
    on the same server, at most 1.5; batch_ratio: notifications per second through the batch
    endpoint divided by those of single requests, at least 30.

    Parameters
    ----------
    requests
        Single requests of each kind in a round.
    batches
        Batches in a round.
    size
        Notifications in a batch.
    rounds
        Rounds; all take turns in each, and the medians count.
    connections
        Connections that send single requests at the same time.
    database
        A throw-away SQLite file, a throw-away PostgreSQL server, or both.
    json
        Print one JSON object.
    """
    from booper.bench.ingest import measure

    kinds = ("sqlite", "postgresql") if database == "both" else (database,)
    show(measure(requests, batches, size, rounds, connections, kinds), "Ingest", json)


@app.command
def rotation(*, changes: Count = 66, json: bool = False) -> None:
    """Credentials that change under a steady load, for APNs and for FCM; one in ten is no good.

    lost, rejected and duplicates are counted from the simulators' ledgers and from every answer;
    ratio is the p99 latency of a push while credentials change, divided by that while none does.

    Parameters
    ----------
    changes
        Changes of each provider's credential.
    json
        Print one JSON object.
    """
    from booper.bench.rotation import measure
    from booper.cli.logs import log_to_stderr

    log_to_stderr("critical")
    show(measure(changes), "Rotation", json)


@app.command
def neighbours(
    *,
    seconds: Annotated[float, Parameter(validator=validators.Number(gte=1, lte=600))] = 6.0,
    rounds: Count = 8,
    json: bool = False,
) -> None:
    """Five healthy tenants beside twenty with malformed keys, wrong keys, hanging providers, bugs.

    Real processes, from the POST to Apple's acceptance. ratio is the healthy ones' p99 latency
    beside the others' trouble, divided by that without: at most 1.2.

    Parameters
    ----------
    seconds
        How long a stretch is, quiet or in trouble.
    rounds
        Stretches of each kind; they take turns.
    json
        Print one JSON object.
    """
    from booper.bench.neighbours import measure

    show(measure(seconds, rounds), "Neighbours", json)


@app.command
def instances(*, count: Count = 10_000, json: bool = False) -> None:
    """A start with very many configured instances: seconds, and memory for each.

    Parameters
    ----------
    count
        Instances; every tenth is disabled, every tenth stopped.
    json
        Print one JSON object.
    """
    from booper.bench.instances import measure

    show(measure(count), "Instances", json)


@app.command(show=False)
def haunted(folder: Path) -> None:
    """The service that `neighbours` measures, in a process of its own."""
    import trio

    from booper.bench.haunted import serve
    from booper.cli.logs import log_to_stderr

    log_to_stderr("warning")
    trio.run(serve, folder)


@app.command
def queue(
    *,
    devices: Count = 100_000,
    jobs: Count = 2_000,
    database: str = "postgresql",
    json: bool = False,
) -> None:
    """The queue alone on PostgreSQL, claim and complete, beside procrastinate and PgQueuer.

    A ratio_to_… says how many times our devices per second are their no-op jobs per second.

    Parameters
    ----------
    devices
        Devices to claim and settle, each with its outcome stored.
    jobs
        Jobs of procrastinate; PgQueuer gets five times as many.
    database
        "postgresql" for a throw-away one, or the URL of a server where databases can be made.
    json
        Print one JSON object.
    """
    from booper.bench.queue import measure

    show(measure(devices, jobs, database), "Queue", json)


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
