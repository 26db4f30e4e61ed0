"""One call of `send` on its way: what waits, what must go again, who is to be woken."""

from __future__ import annotations

from collections import deque
from itertools import groupby
from typing import TYPE_CHECKING

import trio

from booper.http2 import Batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from booper.wire import Lost, Stamp, Template

REPLAYS = 3  # how often one request that was provably never processed is sent again by itself
FAREWELLS = 12  # the same where the connection only said goodbye: that was not about the request
_FAREWELL = ("goaway", "NO_ERROR")


class Sending(Batch):
    """A batch with a memory of which of its stamps no connection has taken.

    `runs` are those stamps as stretches [start, stop), in order. An answer that says "never
    processed" puts its stamp back there, at most REPLAYS times (or FAREWELLS), and the sending on
    the list of `returned` ones, for the pool to queue it again.
    """

    __slots__ = (
        "_again",
        "_done",
        "_returned",
        "_task",
        "_tries",
        "mistake",
        "runs",
        "stamps",
        "template",
    )

    def __init__(
        self, template: Template, stamps: Sequence[Stamp], returned: list[Sending]
    ) -> None:
        super().__init__(len(stamps))
        self.template = template
        self.stamps = stamps
        self.runs: deque[tuple[int, int]] = deque(((0, len(stamps)),))
        self.mistake: ValueError | None = None
        """The caller's: to be raised where it called."""
        self._returned = returned
        self._again: list[int] = []
        self._tries: dict[int, int] | None = None
        self._task: trio.lowlevel.Task | None = None
        self._done = False

    @property
    def waiting(self) -> int:
        """How many stamps no connection has taken."""
        return sum(stop - start for start, stop in self.runs)

    def took(self, count: int) -> None:
        """A connection took the first `count` of `runs[0]`."""
        start, stop = self.runs[0]
        if start + count < stop:
            self.runs[0] = (start + count, stop)
        else:
            self.runs.popleft()

    def lost(self, index: int, answer: Lost) -> None:
        """Called by the engine in the middle of reading: only takes note."""
        if answer.sent or self._done or not self._may_go_again(index, answer):
            super().lost(index, answer)
            return
        if not self._again:
            self._returned.append(self)
        self._again.append(index)

    def requeue(self) -> int:
        """Make the stamps that came back wait again, ahead of the rest; how many."""
        again, self._again = self._again, []
        self.runs.extendleft(reversed(list(stretches(sorted(again)))))
        return len(again)

    def drop(self, answer: Lost) -> int:
        """What waits gets `answer`; how many that were."""
        dropped = 0
        for start, stop in self.runs:
            self.answers[start:stop] = [answer] * (stop - start)
            dropped += stop - start
        self.runs.clear()
        self.left -= dropped
        return dropped

    def end(self) -> None:
        """From now on nothing goes again."""
        self._done = True

    def wake(self) -> None:
        """Wake the caller, if it still waits."""
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    async def finished(self) -> None:
        """Wait for `wake`."""
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._leave)

    def _leave(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _may_go_again(self, index: int, answer: Lost) -> bool:
        if self._tries is None:
            self._tries = {}
        tries = self._tries[index] = self._tries.get(index, 0) + 1
        return tries <= (FAREWELLS if (answer.reason, answer.detail) == _FAREWELL else REPLAYS)


def stretches(indexes: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Ascending numbers as stretches [start, stop)."""
    for _, group in groupby(enumerate(indexes), lambda pair: pair[1] - pair[0]):
        run = [index for _, index in group]
        yield run[0], run[-1] + 1
