"""Where answers go: one Batch per list of stamps, shared by every connection that serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from booper.wire import Answer, Lost


class Batch:
    """`answers[i]` belongs to stamp i and is None until it is known; `left` counts the Nones.

    The client writes a Reply straight into `answers` and counts `left` down. A Lost goes through
    `lost`, which a transport may override to send an unprocessed request again: it is called in
    the middle of reading, so it must only take note, never call the client.
    """

    __slots__ = ("answers", "left")

    def __init__(self, count: int) -> None:
        self.answers: list[Answer | None] = [None] * count
        self.left = count

    def lost(self, index: int, answer: Lost) -> None:
        """Stamp `index` has no answer; `answer.sent` False means it is safe to send again."""
        self.answers[index] = answer
        self.left -= 1
