"""`booper database`: what is done to a whole database while nobody serves it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from booper.store.copying import Table

app = App(name="database", help="Move an installation to PostgreSQL.")


@app.command
def copy(
    source: str,
    target: str,
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Copy everything from a SQLite file into an empty PostgreSQL database; all of it, or nothing.

    Stop Booper first: a file that is being served is refused. Ids, keys and credentials stay good;
    what is sealed stays sealed, so the settings of every node need the same `keys`.

    Parameters
    ----------
    source
        sqlite:PATH
    target
        postgresql://... The password may come from PGPASSWORD or ~/.pgpass instead.
    as_json
        The rows of each table in one line of JSON, for programs.
    """
    import msgspec
    import trio
    from rich.console import Console
    from rich.table import Table as Shown

    from booper.domain.errors import Misconfigured
    from booper.settings import Settings
    from booper.store import copying

    given, wanted = Settings(database=source), Settings(database=target)
    path = given.sqlite_path
    if not wanted.on_postgresql:
        raise Misconfigured("The target must be postgresql://…", code="database_url")
    console = Console(stderr=True, markup=False, highlight=False)
    with _progress(console) as (begun, seen):
        found = trio.run(copying.copy, path, target, begun, seen)
    if as_json:
        print(msgspec.json.encode({one.name: one.rows for one in found}).decode())
        return
    shown = Shown("table", "rows", title=f"{source} → {wanted.shown_database}")
    for one in found:
        if one.rows:
            shown.add_row(one.name, f"{one.rows:,}")
    Console(markup=False, highlight=False).print(shown)
    keys = given.key_path
    if keys.exists():
        console.print(f"Put the keys in {keys} into the settings of every node, as [keys].")


@contextmanager
def _progress(
    console: object,
) -> Iterator[tuple[Callable[[list[Table]], None], Callable[[str, int], None]]]:
    """A bar of the rows copied; yields what is told the tables, and each page."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as bar:  # type: ignore[arg-type]
        task = bar.add_task("", total=None)

        def begun(tables: list[Table]) -> None:
            bar.update(task, total=sum(table.rows for table in tables))

        def seen(name: str, count: int) -> None:
            bar.update(task, advance=count, description=name)

        yield begun, seen
