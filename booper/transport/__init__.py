"""Where requests leave the house, behind the Transport port: HTTP/2 and HTTP/1.1 over TLS on trio.

`Network(dice, guard).pool(endpoint)` makes a pool; start its `run` in a nursery, then `send`. The
layers, lowest first: `tls` and `proxy` (no I/O), `line` (a socket), `dial` (how to get one),
`connection` (an engine on a line), `fleet` (the connections of one endpoint), `sending`, `queue`
and `deadlines` (what waits), `pool` on top, and `decisions`, the plain functions they ask.
`Network(...).client(outlet)` makes an HTTP/1.1 client: `address` (a URL), `guard` (who may be
called), `reach` (how a stream is had), `requests` on top.
"""

from __future__ import annotations

from booper.transport.guard import Guard
from booper.transport.http2 import Http2Transport
from booper.transport.network import Network
from booper.transport.pool import Pool
from booper.transport.statistics import PoolStatistics

__all__ = ["Guard", "Http2Transport", "Network", "Pool", "PoolStatistics"]
