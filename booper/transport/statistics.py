"""How a pool stands, for status pages and metrics."""

from __future__ import annotations

import msgspec


class PoolStatistics(msgspec.Struct, frozen=True):
    """Numbers at one moment: the first five are levels, the rest counts since the pool was made.

    `failed` attempts never became a connection; `replayed` requests were sent again because the
    peer provably had not processed them.
    """

    connections: int
    opening: int
    draining: int
    in_flight: int
    queued: int
    opened: int
    closed: int
    failed: int
    replayed: int
