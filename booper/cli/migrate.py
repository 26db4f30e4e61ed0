"""`booper migrate`: brings the database up to date, or says whether it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import trio
from cyclopts import Parameter


def migrate(
    *,
    config: Annotated[Path | None, Parameter(env_var="BOOPER_CONFIG")] = None,
    database: str | None = None,
    check: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Bring the database up to date. `booper serve` does the same when it starts.

    Any number may be started at once: one migrates, under a lock, and the others wait for it. A
    database that a newer Booper has migrated is refused.

    Parameters
    ----------
    config
        The settings file.
    database
        The database: sqlite:PATH or postgresql://...
    check
        Change nothing; exit 1 if something waits to be applied.
    as_json
        The answer in one line of JSON, for programs.
    """
    from booper import settings as settings_file
    from booper.store import opening

    settings = settings_file.load(config, os.environ)
    settings = msgspec.structs.replace(settings, database=database or settings.database)
    now = 0 if check else trio.run(opening.migrated, settings)
    found = trio.run(opening.standing, settings)
    if as_json:
        said = {"applied": found.applied, "applied_now": now, "waiting": found.waiting}
        print(msgspec.json.encode(said).decode())
    else:
        print(f"{settings.shown_database}: {found.applied} migrations, {now} of them applied now.")
        for name in found.waiting:
            print(f"waiting: {name}")
    sys.exit(1 if found.waiting else 0)
