"""Who is alive under which name. An entry lives exactly as long as its incarnation serves."""

from __future__ import annotations

import itertools

from .errors import AlreadyRegistered
from .mailbox import Mailbox


class Registry:
    """Unique names. A name is free the moment its actor is dying, and never leads to a dead one."""

    __slots__ = ("_numbers", "mailboxes")

    def __init__(self) -> None:
        # Read by Ref at every send, so it is a plain dict and not behind a method.
        self.mailboxes: dict[str, Mailbox] = {}
        self._numbers = itertools.count(1)

    def claim(self, name: str, limit: int) -> Mailbox:
        """Take `name` for a new incarnation. Raises AlreadyRegistered."""
        owner = self.mailboxes.get(name)
        if owner is not None:
            raise AlreadyRegistered(name, owner.incarnation)
        mailbox = Mailbox(name, limit, next(self._numbers))
        self.mailboxes[name] = mailbox
        return mailbox

    def free(self, mailbox: Mailbox) -> None:
        """Give up the name, if this incarnation still has it. Idempotent."""
        if self.mailboxes.get(mailbox.name) is mailbox:
            del self.mailboxes[mailbox.name]

    def names(self) -> tuple[str, ...]:
        """The names taken now, oldest first."""
        return tuple(self.mailboxes)

    def whereis(self, name: str) -> int | None:
        """The incarnation number of who has the name (it differs after a restart), or None."""
        mailbox = self.mailboxes.get(name)
        return None if mailbox is None else mailbox.incarnation
