"""The few protocols through which Booper reaches the outside: everything else is a decision.

Adapters (`store/`, `transport/`, `clock.py`) implement them; workers and the API receive them
and never import an adapter. There is one fake per port, in the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from booper.ports.database import DONE, Database, Row, Sql, Tx, single

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.limit import Limit, Verdict
    from booper.domain.secret import Place, Secret
    from booper.ports.access import AccessTokens
    from booper.wire import Answer, Endpoint, Lost, Outlet, Request, Stamp, Template

__all__ = ["DONE", "Database", "Row", "Sql", "Tx", "single"]  # which have a file of their own


class Clock(Protocol):
    """Time: the wall's for people, rows and JWTs; the monotonic one for waiting."""

    def wall(self) -> float:
        """Seconds since 1970 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        ...


class Ids(Protocol):
    """Where identifiers come from."""

    def mint(self) -> str:
        """A new UUIDv7 in its canonical text form; later ones sort after earlier ones."""
        ...

    def secret(self, size: int) -> bytes:
        """That many bytes which nobody can guess."""
        ...


class Dice(Protocol):
    """Where jitter comes from."""

    def random(self) -> float:
        """A number in [0, 1)."""
        ...


class Limiter(Protocol):
    """Counts how often things are done."""

    async def take(self, limits: Sequence[Limit], cost: int = 1) -> list[Verdict]:
        """Take `cost` from every limit, or from none: one verdict each, in order.

        Exact under any number of callers. Never raises for an outage: without the shared count a
        node counts for itself.
        """
        ...


class Pool(Protocol):
    """The connections of one provider instance to one endpoint, opened when first needed."""

    async def send(
        self, template: Template, stamps: Sequence[Stamp], *, timeout: float
    ) -> list[Answer]:
        """One answer per stamp, in order; never raises for what happens to a request.

        `timeout` seconds after the call, every request without an answer becomes Lost.
        Cancelling the caller resets its streams and disturbs no other request.
        """
        ...

    async def warm(self, *, timeout: float) -> Lost | None:
        """None as soon as a connection is ready, opening one if there is none; else why not."""
        ...

    async def aclose(self) -> None:
        """Let what is in flight end, then close every connection."""
        ...


class HttpClient(Protocol):
    """One owner's way to HTTP/1.1 servers; connections are opened when needed and kept a while.

    Never follows a redirect, never asks the environment for a proxy, never goes without verifying
    the certificate, and never unpacks a body.
    """

    async def send(self, requests: Sequence[Request], *, timeout: float) -> list[Answer]:
        """One answer per request, in order; never raises for what happens to a request.

        `timeout` seconds after the call, every request without an answer becomes Lost. `sent` is
        False as long as not a byte of the request has left. `reason` "guarded": the guard forbids
        the address; "invalid_url", "invalid_request": ours to mend, never sent. A body longer
        than 64 KiB is cut there. Cancelling the caller ends its requests and no other.
        """
        ...

    async def aclose(self) -> None:
        """Let what is in flight end, then close every connection. Cancelled, it closes at once."""
        ...


class Guard(Protocol):
    """Who may be called when the address comes from outside (against SSRF)."""

    async def check(self, url: str, pointer: str = "/url") -> None:
        """Return if `url` may be called; Invalid (`forbidden_url`, `unknown_host`) if not.

        For the moment of saving; each connection is checked again when it is dialled.
        """
        ...


class Transport(Protocol):
    """Opens pools and clients."""

    @property
    def guard(self) -> Guard: ...

    def pool(self, endpoint: Endpoint) -> PoolRunner: ...

    def client(self, outlet: Outlet) -> HttpClientRunner: ...


class PoolRunner(Pool, Protocol):
    """A pool together with the task that keeps its connections."""

    async def run(self) -> None:
        """Keep the connections until `aclose` ends; start it in the owner's nursery first."""
        ...


class Seal(Protocol):
    """Secrets at rest. Quick and without I/O, so it may be called anywhere."""

    def seal(self, place: Place, secret: Secret) -> str:
        """The secret as a text to store; a different one each time."""
        ...

    def open(self, place: Place, sealed: str) -> Secret:
        """The secret sealed at that very place, else Unsealable."""
        ...

    def stale(self, sealed: str) -> bool:
        """Whether it was sealed by another key than the current one: `rewrap` it."""
        ...

    def rewrap(self, place: Place, sealed: str) -> str:
        """The same secret at the same place under the current key; Unsealable as for `open`."""
        ...

    def fingerprint(self, secret: Secret) -> str:
        """16 hexadecimal digits that tell two secrets apart, as long as the current key stays."""
        ...


class KeptToken(NamedTuple):
    """A device token as it is stored: what it is found by, and itself, sealed."""

    fingerprint: str
    sealed: bytes


class DeviceTokens(Protocol):
    """Device tokens at rest, which no table holds as they are."""

    async def fingerprint(self, token: str) -> str:
        """What a device token (in its one spelling) is found by; the same for ever."""
        ...

    async def keep(self, token: str) -> KeptToken:
        """A device token as it is stored."""
        ...

    async def open(self, sealed: Sequence[bytes]) -> list[str]:
        """The device tokens, in order; "" for one that does not open."""
        ...


class HttpClientRunner(HttpClient, Protocol):
    """A client together with the task that closes connections nobody uses."""

    async def run(self) -> None:
        """Close idle connections until `aclose` ends; `send` works without it."""
        ...


class Passwords(Protocol):
    """Slow hashes, a few at a time; Unavailable when too many wait for theirs."""

    async def hash(self, password: Secret) -> Secret:
        """What to store."""
        ...

    async def verify(self, stored: Secret | None, password: Secret) -> bool:
        """Whether it is the one that was stored; None (no such account) takes as long."""
        ...

    def weak(self, stored: Secret) -> bool:
        """Whether it was hashed more cheaply than is done today: hash it again at the login."""
        ...


class Ports(NamedTuple):
    """Everything outside that a worker or a route may reach, handed in once."""

    database: Database
    transport: Transport
    clock: Clock
    ids: Ids
    dice: Dice
    seal: Seal
    device_tokens: DeviceTokens
    access: AccessTokens | None = None  # where nothing asks for one, nobody need answer
