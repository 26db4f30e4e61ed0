"""`booper bench outage`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter, validators

from booper.cli.bench import show


def outage(
    *,
    seconds: Annotated[float, Parameter(validator=validators.Number(gte=1, lte=3600))] = 60.0,
    kind: Literal["unavailable", "silent"] = "silent",
    json: bool = False,
) -> None:
    """One of five providers goes away under a steady load: what the other four feel of it.

    ratio is the p95 latency of the others while one is away, divided by that before; lost and
    duplicates are counted from the simulators' ledgers when everything was made good.

    Parameters
    ----------
    seconds
        How long it is away, and how long is measured before.
    kind
        It answers 503, or it says nothing any more, as behind a cut cable.
    json
        Print one JSON object.
    """
    from booper.bench.outage import measure

    show(measure(seconds, kind), "Outage", json)
