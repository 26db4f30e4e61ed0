"""`booper demo`: everything at once on this machine, to see it work."""

from __future__ import annotations

import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import trio
from cyclopts import Parameter, validators
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from booper import demo as scenes
from booper import wiring
from booper.cli.logs import log_to_stderr
from booper.simulators.apart import Apple, simulated_apple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Count = Annotated[int, Parameter(validator=validators.Number(gte=1))]


def demo(
    *,
    devices: Count = 1000,
    notifications: Count = 1,
    port: int = 0,
    once: bool = False,
    json: bool = False,
) -> None:
    """Start Booper and a simulated Apple on loopback, notify made-up devices, count what arrived.

    Nothing leaves this machine and nothing is left behind. It stays up afterwards, with URLs and
    a curl line to try, until Ctrl-C; --once ends it after the summary.

    Parameters
    ----------
    devices
        How many devices to make up and subscribe.
    notifications
        How many notifications to send to all of them.
    port
        Where Booper listens; 0 takes a free port.
    once
        Exit after the summary; the status is 1 if anything was lost or failed.
    json
        Print the summary as one JSON object on the last line.
    """
    log_to_stderr("error")
    with tempfile.TemporaryDirectory(prefix="booper-demo-") as folder:
        good = trio.run(_demo, Path(folder), devices, notifications, port, once, json)
    raise SystemExit(0 if good else 1)


async def _demo(
    folder: Path,
    devices: int,
    notifications: int,
    port: int,
    once: bool,
    json: bool,
) -> bool:
    console = Console(stderr=json)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with simulated_apple(folder) as apple, trio.open_nursery() as watch:
            settings = scenes.demo_settings(folder, apple, port)
            console.print(f"Making up {devices:,} devices …")
            await scenes.prepare(settings, devices)
            async with trio.open_nursery() as nursery:
                booper: wiring.Booper = await nursery.start(wiring.run, settings)
                summary: list[scenes.Summary] = []

                async def show() -> None:
                    with _progress(console, devices * notifications) as seen:
                        found = await scenes.campaign(
                            booper.url, apple, devices, notifications, seen
                        )
                    summary.append(found)
                    _summarise(console, found)
                    if json:
                        print(scenes.as_line(found), flush=True)
                    if once:
                        booper.stop()
                    else:
                        _invite(console, booper.url, apple)

                async def until_signal() -> None:
                    async for _ in signals:
                        watch.cancel_scope.cancel()

                watch.start_soon(until_signal)
                nursery.start_soon(show)
            watch.cancel_scope.cancel()
    return bool(summary) and not summary[0].lost and not summary[0].failed


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[int], None]]:
    """A bar of what the simulator has accepted; yields how to move it."""
    columns = (TextColumn("Delivered"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)
        yield lambda accepted: bar.update(task, completed=accepted)


def _summarise(console: Console, found: scenes.Summary) -> None:
    table = Table(title="What the simulated Apple saw", show_header=False)
    for name, value in msgspec.structs.asdict(found).items():
        table.add_row(name.replace("_", " "), f"{value:,}" if not isinstance(value, str) else value)
    console.print(table)


def _invite(console: Console, url: str, apple: Apple) -> None:
    lines = [
        "Booper stays up. Try it:",
        f"  curl -s {url}/api/notify -H 'Content-Type: application/json' \\",
        f"""    -d '{{"channel": "{scenes.CHANNEL}", "title": "Hello", "body": "from curl"}}'""",
        f"  curl -s {url}/api/admin/tree            the supervision tree",
        f"  curl -s {url}/readyz                    can it take work",
        f"  curl -s {apple.control_url}/ledger/summary   what Apple accepted",
        "Ctrl-C ends it.",
    ]
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
