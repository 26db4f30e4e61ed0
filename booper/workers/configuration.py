"""The settings file's instances become rows at the start, so that everything else is the same for
them: they cannot be reconfigured or deleted from elsewhere, but stopped, disabled and reconnected.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from booper.domain.errors import Conflict, Invalid, Misconfigured, NotFound
from booper.domain.wanted import CONFIGURATION, FILE, OPERATOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.workers.registrar import Registrar


async def seed(registrar: Registrar, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Make the rows of origin "configuration" equal to the file's tables. Misconfigured says what
    is wrong with one; those before it are written then.

    A row of that name made otherwise becomes the file's. What is the same stays the same
    generation; one that was disabled or stopped stays so. Any number of nodes may do it at once.
    """
    directory = registrar.directory
    for wanted in directory.of(OPERATOR):
        table = tables.get(wanted.name)
        if table is None and wanted.origin != CONFIGURATION:
            continue
        if table is None or table.get("provider") != wanted.provider:
            try:
                await registrar.delete(FILE, wanted.name)
            except NotFound:  # likewise
                directory.remove(wanted)
    for name, table in tables.items():
        settings = {key: value for key, value in table.items() if key != "provider"}
        provider = str(table.get("provider", ""))
        try:
            if directory.get(name) is None:
                with suppress(Conflict):  # another node starts with this file, and was quicker
                    await registrar.create(FILE, name, provider, settings)
                    continue
            await registrar.reconfigure(FILE, name, settings, whole=True)
        except Invalid as error:
            detail = error.detail
            if not detail.startswith("instances."):
                detail = f"instances.{name}: {detail}"
            raise Misconfigured(detail, code=error.code) from None
