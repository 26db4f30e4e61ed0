"""`booper serve`: the service itself."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import trio
from cyclopts import Parameter, validators

from booper import settings as settings_file
from booper import wiring
from booper.cli import crew
from booper.processes import settle_memory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from booper.settings import Settings


def serve(
    *,
    config: Annotated[Path | None, Parameter(env_var="BOOPER_CONFIG")] = None,
    host: str | None = None,
    port: int | None = None,
    database: str | None = None,
    processes: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=64))] = 1,
) -> None:
    """Run Booper until it gets SIGTERM or SIGINT; then finish what is in flight and exit 0.

    Settings come from the TOML file, over it the environment (BOOPER_HTTP__PORT=80), over it
    these options. A second signal ends it at once; what was accepted is sent after the next
    start.

    Parameters
    ----------
    config
        The settings file. config/booper.toml shows every setting with its default.
    host
        The address to listen on.
    port
        The port to listen on; 0 takes a free one and prints it.
    database
        Where rows are kept: sqlite:PATH or postgresql://...
    processes
        How many processes share the port (PostgreSQL only). One that dies is started again.
    """
    settings = settings_file.load(config, os.environ)
    changes = {"host": host, "port": port}
    http = msgspec.structs.replace(
        settings.http, **{key: value for key, value in changes.items() if value is not None}
    )
    settings = msgspec.structs.replace(settings, http=http, database=database or settings.database)
    place = crew.place(os.environ)
    crew.log_as_member(settings.log_level, place)
    if place is None and processes > 1:
        options = {"config": config, "host": host, "port": port, "database": database}
        sys.exit(trio.run(crew.run, settings, processes, crew.command_of(options)))
    else:
        trio.run(_serve, settings, place)


async def _serve(settings: Settings, place: crew.Place | None) -> None:
    listeners = place.listeners if place is not None else ()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as watch:
            async with trio.open_nursery() as nursery:
                run = partial(wiring.run, settings, listeners=listeners)
                booper: wiring.Booper = await nursery.start(run)
                wiring.settle()
                settle_memory()
                print(f"Booper listens on {booper.url}", flush=True)
                watch.start_soon(_stop_on_signal, signals, booper, listeners)
                if place is not None:
                    watch.start_soon(_stop_without_parent, place, booper)
            watch.cancel_scope.cancel()


async def _stop_on_signal(
    signals: AsyncIterator[int], booper: wiring.Booper, listeners: tuple[int, ...]
) -> None:
    """The first signal asks, the second kills."""
    asked = False
    async for _ in signals:
        if asked:
            booper.tree.kill()
        else:
            for descriptor in listeners:  # nobody waits at a door that stays shut
                os.close(descriptor)
        booper.stop()
        asked = True


async def _stop_without_parent(place: crew.Place, booper: wiring.Booper) -> None:
    await crew.parent_gone(place)
    booper.stop()
