"""What the simulators' commands share: options, a folder, a remote control, words to start with,
and an orderly end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from cyclopts import Parameter, validators

if TYPE_CHECKING:
    import trio

    from booper.simulators.faults import Faults
    from booper.simulators.ledger import Ledger

Port = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65535))]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of every simulator.

    Parameters
    ----------
    host
        Address to listen on. The certificate is for localhost and 127.0.0.1.
    port
        Port to listen on; 0 takes a free one.
    control_port
        Port of the remote control on 127.0.0.1: ledger and faults over HTTP. 0 takes a free one.
    directory
        Where to write ca.pem and keys; a temporary one, removed at the end, if absent.
    as_json
        Say where everything is in one line of JSON, for programs.
    until_eof
        End when standard input does, so that it never outlives the program that started it.
    """

    host: str = "127.0.0.1"
    port: Port = 0
    control_port: Port = 0
    directory: Path | None = None
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False
    until_eof: Annotated[bool, Parameter(negative="")] = False


class Simulator(Protocol):
    """A simulated provider, as `simulators/` has them."""

    ledger: Ledger
    faults: Faults
    port: int

    @property
    def url(self) -> str: ...

    @property
    def ca_pem(self) -> str: ...

    async def serve(
        self, *, host: str = ..., port: int = ..., task_status: trio.TaskStatus[int] = ...
    ) -> None: ...


@dataclass(frozen=True)
class Show:
    """One provider's part of a simulator's command.

    `make(folder)` makes the simulator, writes what clients need into the folder, and gives what is
    announced besides `url`, `port`, `control_url` and `ca_file`. `settings` names the keys of an
    instance's table and the announced value of each. `fault` is one to try, as JSON. `more` is
    what the settings need besides that table, `hint` what else to try, with {names} of places.
    `finish` does for what can only be written once the simulator has its port as `make` does.
    """

    name: str
    title: str
    make: Callable[[Path], tuple[Simulator, Mapping[str, str]]]
    settings: Mapping[str, str]
    fault: str
    more: str = ""
    hint: str = ""
    finish: Callable[[Simulator, Path], Mapping[str, str]] | None = None

    def run(self, options: Options) -> None:
        """Run until SIGINT or SIGTERM. Trouble with a port or the folder is one line, status 1."""
        import trio

        trouble: OSError | None = None
        with TemporaryDirectory(prefix=f"booper-{self.name}-") as temporary:
            folder = options.directory or Path(temporary)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                trio.run(self._serve, folder.resolve(), options)
            except* OSError as group:
                trouble = _first(group)
        if trouble is not None:  # a port taken, a directory not writable: no traceback for that
            sys.exit(f"booper simulate {self.name}: {trouble}")

    async def _serve(self, folder: Path, options: Options) -> None:
        import trio

        from booper.simulators.control import control_app, serve_control

        simulator, own = self.make(folder)
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                await nursery.start(partial(simulator.serve, host=options.host, port=options.port))
                ca_file = trio.Path(folder / "ca.pem")
                await ca_file.write_text(simulator.ca_pem)
                if self.finish is not None:
                    own = {**own, **self.finish(simulator, folder)}
                name = f"booper simulate {self.name}"
                control = control_app(name, simulator.ledger, simulator.faults)
                url: str = await nursery.start(serve_control, control, options.control_port)
                place = {
                    "url": simulator.url,
                    "port": simulator.port,
                    "control_url": url,
                    "ca_file": str(ca_file),
                    **own,
                }
                self._announce(place, as_json=options.as_json)
                if options.until_eof:
                    nursery.start_soon(_read_to_the_end, nursery.cancel_scope)
                async for _ in signals:
                    break
                nursery.cancel_scope.cancel()

    def _announce(self, place: Mapping[str, Any], *, as_json: bool) -> None:
        """Print where everything is: one line for programs, a page for people."""
        if as_json:
            import msgspec

            sys.stdout.buffer.write(msgspec.json.encode(place) + b"\n")
            sys.stdout.buffer.flush()
            return
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=True)
        console.print(
            f"[bold]{self.title} simulator[/] at [cyan]{place['url']}[/]; Ctrl-C ends it.\n"
        )
        console.print("Point an instance at it:\n")
        console.print(self._toml(place), markup=False)
        if self.hint:
            console.print(self.hint.format(**place) + "\n", markup=False)
        control = place["control_url"]
        console.print("See what it accepted, or make it fail:\n")
        console.print(f"curl {control}/ledger/summary", markup=False)
        console.print(f"curl {control}/faults -d '{self.fault}'", markup=False)

    def _toml(self, place: Mapping[str, Any]) -> str:
        """The settings of an instance that sends to the simulator."""
        import msgspec

        lines = [f"[instances.{self.name}]", f'provider = "{self.name}"']
        for key, value in self.settings.items():
            text = msgspec.json.encode(place[value]).decode()  # TOML's basic strings are JSON's
            lines.append(f"{key} = {text}")
        return "\n".join([*lines, self.more]).rstrip("\n") + "\n"


async def _read_to_the_end(scope: trio.CancelScope) -> None:
    """Cancel when nobody holds the other end of standard input any more."""
    import os

    import trio

    async with trio.lowlevel.FdStream(os.dup(0)) as standard_input:
        async for _ in standard_input:
            pass
    scope.cancel()


def _first(group: BaseExceptionGroup[OSError]) -> OSError:
    """The first error in a group of groups."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
