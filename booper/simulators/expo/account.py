"""What the simulated Expo knows: who may send, whose devices are whose, and the tickets it gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from booper.simulators.expo.messages import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from booper.simulators.expo.messages import Push

PROJECT = "@booper/simulated"
CLEARED = 86_400.0  # seconds after which Expo forgets a receipt


class Ticket(NamedTuple):
    """One message taken, in Unix seconds."""

    id: str
    device: str
    taken_at: float


class ExpoAccount:
    """Everything may be changed while the simulator serves.

    `secured`: who shows no access token may not send. `projects`: device token → project, where
    it is not `PROJECT`. `ticket_errors`, `receipt_errors`: device token → what its tickets or its
    receipts say ("DeviceNotRegistered"). `lost`: device tokens whose receipts never come; of the
    others they are there `receipt_delay` seconds later. `messages`: what was sent, in order.
    """

    def __init__(
        self,
        *,
        access_tokens: Iterable[str] = (),
        secured: bool = False,
        receipt_delay: float = 0.0,
    ) -> None:
        self.access_tokens = set(access_tokens)
        self.secured = secured
        self.receipt_delay = receipt_delay
        self.projects: dict[str, str] = {}
        self.ticket_errors: dict[str, str] = {}
        self.receipt_errors: dict[str, str] = {}
        self.lost: set[str] = set()
        self.messages: list[Push] = []
        self._tickets: dict[str, Ticket] = {}

    def admits(self, bearer: str | None, *, presented: bool) -> bool:
        """Whether the caller may; a wrong access token is refused even where none is needed."""
        return bearer in self.access_tokens if presented else not self.secured

    def by_project(self, devices: Iterable[str]) -> dict[str, list[str]]:
        """Project → its devices, in order."""
        found: dict[str, list[str]] = {}
        for device in devices:
            found.setdefault(self.projects.get(device, PROJECT), []).append(device)
        return found

    def fault(self, device: str) -> str | None:
        """What the device's ticket says, if nothing good."""
        if not TOKEN.fullmatch(device):
            return "DeviceNotRegistered"
        return self.ticket_errors.get(device)

    def ticket(self, device: str, now: float) -> Ticket:
        """A new ticket; `keep` makes it known."""
        return Ticket(str(uuid4()), device, now)

    def keep(self, tickets: Iterable[Ticket], pushes: Iterable[Push]) -> None:
        """Remember what was taken."""
        self._tickets.update((ticket.id, ticket) for ticket in tickets)
        self.messages.extend(pushes)

    def receipts(self, ids: Sequence[str], now: float) -> list[Ticket]:
        """The tickets of these ids whose receipts are there."""
        return [
            ticket
            for own in ids
            if (ticket := self._tickets.get(own)) is not None
            and ticket.device not in self.lost
            and self.receipt_delay <= now - ticket.taken_at < CLEARED
        ]
