"""What the codec of a provider promises that answers with tickets and tells the rest later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from booper.providers.provider import ParcelCodec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from booper.domain.receipt import Heard
    from booper.providers.provider import AccessToken, Parcel
    from booper.wire import Answer


class Receipts(Protocol):
    """Questions about pushes that the provider accepted with a ticket."""

    def pack(self, tickets: Sequence[str]) -> Iterable[Parcel]:
        """Each ticket in exactly one parcel; `places` are indexes into `tickets`."""
        ...

    def read(self, parcel: Parcel, answer: Answer) -> Sequence[Heard] | Sequence[Parcel]:
        """What was heard of each place, in order; or smaller parcels, as in `Parcels.read`."""
        ...


@runtime_checkable
class TicketCodec(ParcelCodec, Protocol):
    """A codec whose accepted outcomes have in `provider_id` a ticket to be asked for later."""

    def receipts(self, access: AccessToken) -> Receipts:
        """How to ask with that access token."""
        ...
