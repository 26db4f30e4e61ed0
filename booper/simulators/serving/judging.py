"""What goes between a connection and the one who judges its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.simulators.faults import Answer

Header = tuple[bytes, bytes]


class PushRequest(NamedTuple):
    """One complete request; `headers` lower-case and without the pseudo-headers."""

    method: bytes
    path: bytes
    headers: Sequence[Header]
    body: bytes


class Response(NamedTuple):
    """What is answered; `reason` is the ledger's word for a refusal, "" for an acceptance."""

    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    reason: str = ""


class Judged(NamedTuple):
    """The response to a request, and whom and what it concerns, for fault scripts and the ledger.

    `silent`: no push at all (a token was asked for), so nothing is written down. `own_id`: the
    request itself brought the `push_id`.
    """

    response: Response
    device: str = ""
    push_id: str = ""
    instance: str = ""
    silent: bool = False
    own_id: bool = False


class Examiner(Protocol):
    """Judges one connection's requests, one after the other."""

    @property
    def trusted(self) -> bool:
        """Whether the connection may have all its streams; once True it stays so."""
        ...

    def judge(self, request: PushRequest) -> Judged: ...

    def scripted(self, answer: Answer, judged: Judged) -> Response:
        """A scripted answer in the provider's own words."""
        ...

    def idle(self) -> Response:
        """The answer to a request that never became complete."""
        ...

    def farewell(self, reason: str) -> bytes:
        """What stands in a GOAWAY."""
        ...
