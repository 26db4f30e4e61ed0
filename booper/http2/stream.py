"""A request that is not simple: its body waits for a window, or its answer comes in pieces.

Most streams never become one of these: they are a number in a dictionary until a one-frame
answer comes (`client.py`). Here is what the others need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.http2.flow import Rest

if TYPE_CHECKING:
    from booper.http2.batch import Batch
    from booper.wire import Header


class Stream(Rest):
    """One open request and what has come of its answer.

    Its `unsent` is what remains of the request's body. `status` is
    0 until the answer's headers are here; `head` is then its fields, decoded or not. `flow` counts
    DATA received including padding, `size` the body's bytes.
    """

    __slots__ = ("batch", "chunks", "flow", "head", "index", "size", "status")

    def __init__(self, batch: Batch, index: int, unsent: bytes = b"", window: int = 0) -> None:
        super().__init__(unsent, window)
        self.batch = batch
        self.index = index
        self.status = 0
        self.head: tuple[Header, ...] | bytes = ()
        self.chunks: list[bytes] = []
        self.size = 0
        self.flow = 0

    @property
    def reached(self) -> bool:
        """Whether the peer may have processed the request: it is complete, or was answered."""
        return not self.unsent or self.status != 0
