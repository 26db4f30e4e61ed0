"""How much of a peer's behaviour is borne before the connection is ended."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on one connection; together they bound its memory and its work per request.

    Bytes: `body` of a message kept (RFC-wise more may come, see Client and Server), `header_list`
    decoded headers counted as RFC 7541 section 4.1 does, `header_block` the same still encoded,
    `stream_window` and `connection_window` what the peer may send before it is credited.
    Counts: `streams` open at once, `fragments` CONTINUATION frames in one block, `noise` frames
    that bring nobody forward (each new request forgives eight), `acks` answers to PING and
    SETTINGS waiting to be written, `remembered` streams we reset whose late frames are forgiven
    exactly, `last_id` the highest stream id to use.
    """

    body: int = 65_536
    header_list: int = 65_536
    header_block: int = 32_768
    stream_window: int = 131_072
    connection_window: int = 1 << 24
    streams: int = 10_000
    fragments: int = 32
    noise: int = 2_000
    acks: int = 1_000
    remembered: int = 16_384
    last_id: int = 2**31 - 1

    def __post_init__(self) -> None:
        # A peer may use the RFC's default windows until it has seen ours.
        if self.stream_window < 65_535 or self.connection_window <= 65_535:
            raise ValueError("a window may not be smaller than HTTP/2's default of 65,535")
