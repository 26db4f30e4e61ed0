"""The commands. Each imports what it needs when it is called, so that `--help` is quick."""

from __future__ import annotations

import sys

from cyclopts import App

from booper.domain.errors import BooperError

app = App(
    name="booper",
    help="One endpoint for every push provider, on a supervised actor runtime.",
    version_flags=["--version"],
)
app.command("booper.cli.serve:serve", name="serve", help="Run the service.")
app.command("booper.cli.demo:demo", name="demo", help="See it all work on this machine.")
app.command(
    "booper.cli.simulate:app",
    name="simulate",
    help="Run a push provider on this machine, to send to instead.",
)
app.command(
    "booper.cli.bench:app", name="bench", help="Measure on this machine, beside others, in one run."
)


def main() -> None:
    """The console script. What a person got wrong is one line and exit status 2."""
    try:
        app()
    except BaseException as error:
        alone = error
        while isinstance(alone, BaseExceptionGroup) and len(alone.exceptions) == 1:
            alone = alone.exceptions[0]
        match alone:
            case BooperError():
                print(f"booper: {alone.detail} [{alone.code}]", file=sys.stderr)
                sys.exit(2)
            case KeyboardInterrupt():
                sys.exit(130)
            case _:
                raise
