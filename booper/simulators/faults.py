"""What may go wrong at a provider, said in words that every simulator understands.

A `Script` says which fault meets which requests; `Faults` is the script book of one simulator.
Nothing here touches a socket: a server asks `Faults.matching` about a request and acts it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Fault(
    msgspec.Struct, frozen=True, tag_field="kind", tag=str.lower, forbid_unknown_fields=True
):
    """Something a provider does instead of, or besides, the normal answer."""


class Answer(Fault, frozen=True):
    """Answer with `status` and `reason` whatever the request says; 200 accepts it unchecked.

    `timestamp` (milliseconds since 1970 UTC) goes with an "unregistered" answer, `retry_after`
    (seconds) becomes a Retry-After header.
    """

    status: int
    reason: str = ""
    timestamp: int | None = None
    retry_after: int | None = None


class Delay(Fault, frozen=True):
    """Hold the answer back for `seconds`. The request is judged, and counted, when it arrives."""

    seconds: float


class GoAway(Fault, frozen=True):
    """Answer `after` requests on a connection, then GOAWAY: later streams are never processed."""

    after: int = 0
    code: int = 0
    reason: str = "Shutdown"


class Reset(Fault, frozen=True):
    """RST_STREAM instead of an answer; 2 = INTERNAL_ERROR, 7 = REFUSED_STREAM, 8 = CANCEL.

    `accepted` writes the push into the ledger first: the sender can only see "answer unknown".
    """

    code: int = 2
    accepted: bool = False


class StuckWindow(Fault, frozen=True):
    """Never open a flow-control window again.

    Scripted for all, a new connection starts with a window of 0 bytes per stream, so no body can
    ever be sent. Met later, a connection credits nothing any more and dries up after what it had.
    """


class Dead(Fault, frozen=True):
    """Stop reading and writing without closing, as behind a cut cable."""

    accepted: bool = False


class Hangup(Fault, frozen=True):
    """Close the TCP connection at once, without a word in TLS or HTTP/2."""

    accepted: bool = False


class FewStreams(Fault, frozen=True):
    """Announce in SETTINGS that at most `streams` may be open, from now on in this connection.

    Scripted for all, a new connection announces it from the start. 0 is allowed.
    """

    streams: int


AnyFault = Answer | Delay | GoAway | Reset | StuckWindow | Dead | Hangup | FewStreams


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault, whom it meets (`device`; None: everybody), and how often (`times`; None: always)."""

    fault: AnyFault
    device: str | None = None
    times: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a script that could never do anything sensible."""
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1")
        match self.fault:
            case Answer(status=status) if not 200 <= status <= 599:
                raise ValueError("status must be between 200 and 599")
            case Delay(seconds=seconds) if not 0 <= seconds <= 3600:
                raise ValueError("seconds must be between 0 and 3600")
            case GoAway(after=number) | FewStreams(streams=number) if not 0 <= number < 2**31:
                raise ValueError("a count must not be negative")
            case GoAway(code=code) | Reset(code=code) if not 0 <= code < 2**32:
                raise ValueError("an error code has 32 bits")
            case _:
                pass


class _Entry:
    """A script in the book with the number of times it may still be used."""

    __slots__ = ("left", "script")

    def __init__(self, script: Script) -> None:
        self.script = script
        self.left = script.times


class Faults:
    """The script book: scripts for one device come before those for all, older before newer."""

    def __init__(self, scripts: Iterable[Script] = ()) -> None:
        self._for_all: list[_Entry] = []
        self._for_one: dict[str, list[_Entry]] = {}
        for script in scripts:
            self.add(script)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        """Whether any script is in force; cheap, for whoever asks at every request."""
        return bool(self._for_all or self._for_one)

    def __iter__(self) -> Iterator[Script]:
        """The scripts still in force, with their `times` as originally given."""
        for entries in self._for_one.values():
            yield from (entry.script for entry in entries)
        yield from (entry.script for entry in self._for_all)

    def add(self, script: Script) -> None:
        """Put `script` in force from the next request on."""
        entries = (
            self._for_all
            if script.device is None
            else self._for_one.setdefault(script.device.lower(), [])
        )
        entries.append(_Entry(script))

    def script(
        self, fault: AnyFault, *, device: str | None = None, times: int | None = None
    ) -> None:
        """Let `fault` meet the next `times` requests to `device`; None: all of them, anybody's."""
        self.add(Script(fault, device, times))

    def clear(self) -> None:
        """Strike every script. Connections already dead, dry or narrow stay as they are."""
        self._for_all.clear()
        self._for_one.clear()

    def matching(self, device: str) -> tuple[Script, ...]:
        """The scripts that meet a request to `device`; uses nothing up, see `use`."""
        if not self._for_all and not self._for_one:
            return ()
        own = self._for_one.get(device.lower(), ())
        return tuple(entry.script for entry in (*own, *self._for_all))

    def greeting(self) -> tuple[Script, ...]:
        """The scripts that meet a connection as it opens: windows and streams, scripted for all."""
        return tuple(
            entry.script
            for entry in self._for_all
            if isinstance(entry.script.fault, FewStreams | StuckWindow)
        )

    def use(self, script: Script) -> None:
        """Count one use of `script`; the last one strikes it."""
        key = None if script.device is None else script.device.lower()
        entries = self._for_all if key is None else self._for_one.get(key, [])
        for entry in entries:
            if entry.script is script and entry.left is not None:
                entry.left -= 1
                if entry.left == 0:
                    entries.remove(entry)
                    if key is not None and not entries:
                        del self._for_one[key]
                return
