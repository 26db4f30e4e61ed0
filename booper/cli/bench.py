"""`booper bench`: Booper's parts beside others on the same work, in the same run, on this machine."""

from __future__ import annotations

import dataclasses
import json as json_lines
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
