"""`booper serve`: the service itself."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import trio
from cyclopts import Parameter

from booper import settings as settings_file
from booper import wiring
from booper.cli.logs import log_to_stderr

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from booper.settings import Settings


def serve(
    *,
    config: Annotated[Path | None, Parameter(env_var="BOOPER_CONFIG")] = None,
    host: str | None = None,
    port: int | None = None,
    database: str | None = None,
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
        Where rows are kept: sqlite:PATH.
    """
    settings = settings_file.load(config, os.environ)
    changes = {"host": host, "port": port}
    http = msgspec.structs.replace(
        settings.http, **{key: value for key, value in changes.items() if value is not None}
    )
    settings = msgspec.structs.replace(settings, http=http, database=database or settings.database)
    log_to_stderr(settings.log_level)
    trio.run(_serve, settings)


async def _serve(settings: Settings) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as watch:
            async with trio.open_nursery() as nursery:
                booper: wiring.Booper = await nursery.start(wiring.run, settings)
                print(f"Booper listens on {booper.url}", flush=True)
                watch.start_soon(_stop_on_signal, signals, booper)
            watch.cancel_scope.cancel()


async def _stop_on_signal(signals: AsyncIterator[int], booper: wiring.Booper) -> None:
    """The first signal asks, the second kills."""
    asked = False
    async for _ in signals:
        if asked:
            booper.tree.kill()
        booper.stop()
        asked = True
