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
app.command("booper.cli.migrate:migrate", name="migrate", help="Bring the database up to date.")
app.command("booper.cli.database:app", name="database", help="Move an installation to PostgreSQL.")
app.command("booper.cli.demo:demo", name="demo", help="See it all work on this machine.")
app.command(
    "booper.cli.simulate:app",
    name="simulate",
    help="Run a push provider on this machine, to send to instead.",
)
app.command("booper.cli.accounts:app", name="accounts", help="Who may use the dashboard.")
app.command(
    "booper.cli.instances:app", name="instances", help="A running Booper's provider instances."
)
app.command("booper.cli.keys:app", name="keys", help="Make keys; change those of sessions.")
app.command(
    "booper.cli.bench:app", name="bench", help="Measure on this machine, beside others, in one run."
)
app.command("booper.cli.openapi:openapi", name="openapi", help="Print the API's description.")


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
