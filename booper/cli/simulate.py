"""`booper simulate`: push providers on this machine, to send to instead of the real ones."""

from __future__ import annotations

import signal
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter, validators

if TYPE_CHECKING:
    import trio

    from booper.simulators.apns import ApnsSimulator, SigningKey

TOPIC = "com.example.app"
Port = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65535))]

app = App(name="simulate", help="Run a push provider on this machine, to send to instead.")


@app.command
def apns(
    *,
    host: str = "127.0.0.1",
    port: Port = 0,
    control_port: Port = 0,
    directory: Path | None = None,
    fast: Annotated[bool, Parameter(negative="")] = False,
    delay: Annotated[float, Parameter(validator=validators.Number(gte=0, lte=60))] = 0.0,
    streams: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=10_000))] = 1000,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    until_eof: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Run an Apple Push Notification service until SIGINT or SIGTERM, then leave with 0.

    It makes a signing key and a certificate authority of its own at every start, and says how to
    point an instance at it. Whatever is sent to it stays on this machine.

    Parameters
    ----------
    host
        Address to listen on. The certificate is for localhost and 127.0.0.1.
    port
        Port to listen on; 0 takes a free one.
    control_port
        Port of the remote control on 127.0.0.1: ledger and faults over HTTP. 0 takes a free one.
    directory
        Where to write ca.pem and the signing key; a temporary one, removed at the end, if absent.
    fast
        Serve by the engine's own server twin, for measurements: the same answers, far quicker.
    delay
        Seconds between a request and its answer, as if the server were far away; with --fast only.
    streams
        How many requests a connection may have open.
    as_json
        Say where everything is in one line of JSON, for programs.
    until_eof
        End when standard input does, so that it never outlives the program that started it.
    """
    import trio

    if delay and not fast:
        sys.exit("booper simulate apns: --delay needs --fast")
    trouble: OSError | None = None
    with TemporaryDirectory(prefix="booper-apns-") as temporary:
        place = directory or Path(temporary)
        try:
            place.mkdir(parents=True, exist_ok=True)
            simulator, key = _simulator(fast=fast, delay=delay, streams=streams)
            run = partial(_run, simulator, key, directory=place.resolve(), as_json=as_json)
            trio.run(partial(run, host=host, port=port, until_eof=until_eof), control_port)
        except* OSError as group:
            trouble = _first(group)
    if trouble is not None:  # a port taken, a directory not writable: no traceback for that
        sys.exit(f"booper simulate apns: {trouble}")


def _simulator(*, fast: bool, delay: float, streams: int) -> tuple[ApnsSimulator, SigningKey]:
    """A simulator, and a signing key it knows."""
    from booper.simulators.apns import Account, ApnsSimulator, Habits, generate_key
    from booper.simulators.fast import FastApnsSimulator

    key = generate_key(topics=frozenset({TOPIC}))
    account, habits = Account([key.team_key]), Habits(streams=streams)
    if fast:
        return FastApnsSimulator(account, habits=habits, delay=delay), key
    return ApnsSimulator(account, habits=habits), key


async def _run(
    simulator: ApnsSimulator,
    key: SigningKey,
    control_port: int,
    *,
    host: str,
    port: int,
    directory: Path,
    as_json: bool,
    until_eof: bool,
) -> None:
    """Serve until a signal comes."""
    import trio

    from booper.simulators.control import control_app, serve_control

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(simulator.serve, host=host, port=port))
            control = control_app("booper simulate apns", simulator.ledger, simulator.faults)
            control_url: str = await nursery.start(serve_control, control, control_port)
            _announce(_place(simulator, key, directory, control_url), as_json=as_json)
            if until_eof:
                nursery.start_soon(_read_to_the_end, nursery.cancel_scope)
            async for _ in signals:
                break
            nursery.cancel_scope.cancel()


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


def _place(
    simulator: ApnsSimulator, key: SigningKey, directory: Path, control_url: str
) -> dict[str, str | int]:
    """Write what a client needs into `directory`, and say where everything is."""
    ca_file = directory / "ca.pem"
    ca_file.write_text(simulator.ca_pem)
    key_file = directory / f"AuthKey_{key.team_key.key_id}.p8"
    key_file.touch(mode=0o600)
    key_file.write_text(key.private_key_pem)
    return {
        "url": simulator.url,
        "port": simulator.port,
        "control_url": control_url,
        "ca_file": str(ca_file),
        "key_file": str(key_file),
        "key_id": key.team_key.key_id,
        "team_id": key.team_key.team_id,
        "topic": TOPIC,
    }


def _announce(place: dict[str, str | int], *, as_json: bool) -> None:
    """Print where everything is: one line for programs, a page for people."""
    if as_json:
        import msgspec

        sys.stdout.buffer.write(msgspec.json.encode(place) + b"\n")
        sys.stdout.buffer.flush()
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]APNs simulator[/] at [cyan]{place['url']}[/]; Ctrl-C ends it.\n")
    console.print("Point an instance at it:\n")
    console.print(_toml(place), markup=False)
    control = place["control_url"]
    console.print("See what it accepted, or make it fail:\n")
    console.print(f"curl {control}/ledger/summary", markup=False)
    console.print(
        f'curl {control}/faults -d \'{{"fault": {{"kind": "answer", "status": 503, '
        '"reason": "ServiceUnavailable"}, "times": 5}\'',
        markup=False,
    )


def _toml(place: dict[str, str | int]) -> str:
    """The settings of an instance that sends to the simulator."""
    import msgspec

    def quoted(name: str) -> str:
        return msgspec.json.encode(place[name]).decode()  # TOML's basic strings are JSON's

    return (
        "[instances.apns]\n"
        'provider = "apns"\n'
        f"key_id = {quoted('key_id')}\n"
        f"team_id = {quoted('team_id')}\n"
        f"topic = {quoted('topic')}\n"
        f"private_key_file = {quoted('key_file')}\n"
        f"url = {quoted('url')}\n"
        f"ca_file = {quoted('ca_file')}\n"
    )
