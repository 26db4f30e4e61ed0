"""Nodes of one installation as real processes, to be killed and started again."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.booper.faults.cradle import Stillborn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.booper.faults.cradle import Cradle, Life


class Node:
    """One node, started as often as wanted."""

    def __init__(self, cradle: Cradle, config: Path, name: str, program: Sequence[str]) -> None:
        self.config = config
        self.url = ""
        self.starts = 0
        self._cradle = cradle
        self._program = program
        self._out = config.with_name(f"{name}.out")
        self._log = config.with_name(f"{name}.log")
        self._life: Life | None = None

    @property
    def life(self) -> Life:
        """The present one, or the last."""
        assert self._life is not None, "it was never started"
        return self._life

    async def start(self, *, insist: bool = True) -> None:
        """Running, and listening; unless we `insist`, it may also die before it does."""
        command = [*self._program, "--config", str(self.config)]
        self._life = self._cradle.bear(command, self._out, self._log)
        self.starts += 1
        try:
            self.url = (await self.life.first_line()).split()[-1]
        except Stillborn:
            if insist:
                raise

    async def kill(self) -> None:
        """kill -9, and see it dead."""
        self.life.signal(signal.SIGKILL)
        await self.life.ended()

    async def end(self) -> int:
        """SIGTERM; the exit status."""
        self.life.signal(signal.SIGTERM)
        return await self.life.ended()

    def said(self) -> str:
        """Its log, of all its lives."""
        return self._log.read_text()
