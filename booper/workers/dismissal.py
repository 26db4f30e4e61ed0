"""Dismissal: an instance whose row is gone takes nothing more, here at once.

The keeper of each node ends its own, when it hears of the change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.workers import names
from booper.workers.messages import Apply, Changed, hint

if TYPE_CHECKING:
    from actors import Registry
    from booper.domain.wanted import Wanted
    from booper.workers.directory import Directory


def dismiss(directory: Directory, registry: Registry, gone: Wanted) -> None:
    """Nobody is routed to it any more; what it has not begun to send goes back to the outbox."""
    directory.remove(gone)
    stopped = msgspec.structs.replace(gone, started=False)
    hint(registry, names.instance(gone.key), Apply(stopped))
    hint(registry, names.KEEPER, Changed(gone.key))
