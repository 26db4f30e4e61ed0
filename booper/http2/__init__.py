"""HTTP/2 without I/O: a client for many small requests, and the server that faces it in simulators.

Bytes in, bytes out: nothing here opens a socket, reads a clock or awaits (RFC 9113, RFC 7541).
How to drive a Client:

    client = Client()                    # take() gives the preface at once
    client.receive(data)                 # bytes from the peer, cut anywhere -> batches now complete
    batch = Batch(len(stamps))           # one per list of stamps; several connections may share it
    n = client.submit(template, stamps, start, limit, batch)   # begins n <= limit requests
    send(client.take())                  # after every submit, receive, cancel, ping, close

`submit` takes what there is `room` for: 0 until the peer's SETTINGS came (`settled`), while
`draining`, or while streams or windows are full; try again after the next `receive`.
Answers appear in `batch.answers`; `batch.left` counts what is missing, and `receive` returns each
batch whose last answer it brought. A stream that ends without an answer calls `batch.lost(index,
Lost)`; override it to send again what was never processed (`lost.sent` False). Reasons:
"goaway", "refused" (both never processed), "reset", "malformed" (the peer's answer was not HTTP),
"protocol_error", and whatever you name in `cancel` and `lost_all`.

`receive` never raises for what a peer does: after a broken connection rule `failure` is set,
every open request is accounted for, a GOAWAY waits in `take`; send it and close. When the socket
dies call `lost_all(reason)`. `cancel(batch)` resets one batch's streams and tolerates their late
frames. GOAWAY sets `draining` (and `goaway`): open streams go on, when `open_streams` is 0 close.

A Server is driven the same way; `receive` gives requests instead of batches:

    for stream, path, head, values, body in server.receive(data):
        server.respond(stream, answer_block(200, ((b"apns-id", values[0]),)))

`head` is the same object for all requests that share their other headers: check it once.
"""

from booper.http2.batch import Batch
from booper.http2.client import Client
from booper.http2.errors import ErrorCode, ProtocolError
from booper.http2.hpack.encoder import answer_block
from booper.http2.limits import Limits
from booper.http2.requests import Request
from booper.http2.server import Server
from booper.http2.shapes import Head

__all__ = [
    "Batch",
    "Client",
    "ErrorCode",
    "Head",
    "Limits",
    "ProtocolError",
    "Request",
    "Server",
    "answer_block",
]
