"""A node that is not well: `booper serve` with one thing wrong inside, handed in where it may be.

Its first argument says what:

- `killed-by-answers`: it dies by kill -9 at a provider's first answer, before that is written down;
- `clock:SECONDS`: its wall clock is so far ahead (or behind); `clock:SECONDS/LATER/DELAY`: first
  so, and by LATER instead when it has run for DELAY seconds;
- `poison:WAY`: its codec meets the title "poison" and dies by os._exit (`exit`), asks for 2 GiB
  (`memory`), raises (`bug`), or does nothing for a while (`loop:SECONDS`).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from booper import settings, wiring
from booper.cli.logs import log_to_stderr
from booper.clock import SystemClock
from booper.providers import codec
from booper.providers.provider import StampCodec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.domain.content import Content
    from booper.domain.outcome import Outcome
    from booper.providers.provider import AccessToken, Codec, Compiled, Occasion
    from booper.settings import Settings
    from booper.wire import Answer


class Skewed(SystemClock):
    """A wall clock that is wrong, and may jump once."""

    def __init__(self, ahead: float, later: float, delay: float) -> None:
        self._ahead, self._later = ahead, later
        self._jump_at = super().monotonic() + delay

    def wall(self) -> float:
        ahead = self._ahead if self.monotonic() < self._jump_at else self._later
        return super().wall() + ahead


class Ill:
    """A codec with something wrong."""

    def __init__(self, well: Codec, illness: str) -> None:
        assert isinstance(well, StampCodec)
        self._codec = well
        self._illness = illness
        self.endpoint = well.endpoint

    def mint(self, now: float) -> AccessToken:
        return self._codec.mint(now)

    def compile(
        self, content: Content, occasion: Occasion, access: AccessToken
    ) -> Compiled | Outcome:
        if content.title == "poison":
            self._suffer()
        return self._codec.compile(content, occasion, access)

    def renewable(self, refusal: Outcome, age: float) -> bool:
        return self._codec.renewable(refusal, age)

    def read(self, answer: Answer) -> Outcome:
        if self._illness == "killed-by-answers":
            os.kill(os.getpid(), signal.SIGKILL)
        return self._codec.read(answer)

    def _suffer(self) -> None:
        way, _, seconds = self._illness.removeprefix("poison:").partition(":")
        match way:
            case "exit":
                os._exit(139)
            case "bug":
                raise ZeroDivisionError("a bug in a codec")
            case "memory":
                import resource

                size = 2 * 2**30
                resource.setrlimit(resource.RLIMIT_AS, (size, size))
                bytearray(size)
            case "loop":
                time.sleep(float(seconds))


def main() -> None:
    """Like `booper serve --config FILE`."""
    _, illness, _, file = sys.argv
    log_to_stderr("warning")
    trio.run(_serve, settings.load(Path(file), {}), illness)


async def _serve(found: Settings, illness: str) -> None:
    def make(name: str, table: Mapping[str, object], now: float) -> Codec:
        return Ill(codec(name, table, now), illness)

    more: dict[str, Any] = {"make": make}
    if illness.startswith("clock:"):
        numbers = [float(text) for text in illness.removeprefix("clock:").split("/")]
        more = {"clock": Skewed(*(numbers if len(numbers) == 3 else [numbers[0], numbers[0], 0.0]))}
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as watch:
            async with trio.open_nursery() as nursery:
                booper: wiring.Booper = await nursery.start(partial(wiring.run, found, **more))
                print(f"Booper listens on {booper.url}", flush=True)  # noqa: T201

                async def stop() -> None:
                    async for _ in signals:
                        booper.stop()

                watch.start_soon(stop)
            watch.cancel_scope.cancel()
