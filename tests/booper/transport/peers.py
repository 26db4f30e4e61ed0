"""A scripted HTTP/2 server made with the `h2` package: engine and driver meet a stranger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

Path = str
Script = Callable[["Peer", int, Path], None]


def echo(peer: Peer, stream: int, path: Path) -> None:
    """Answer with the path, so that a crossed answer shows."""
    peer.answer(stream, 200, path)


def silence(peer: Peer, stream: int, path: Path) -> None:
    """Never answer."""


class Near(Protocol):
    """What a peer speaks into."""

    def say(self, data: bytes) -> None: ...

    def hang_up(self) -> None: ...


class Peer:
    """One connection's server. `script` is called for each whole request."""

    def __init__(
        self, script: Script = echo, *, streams: int = 100, deaf: bool = False, window: int = 65_535
    ) -> None:
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        changed: dict[h2.settings.SettingCodes | int, int] = {
            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: streams
        }
        changed[h2.settings.SettingCodes.INITIAL_WINDOW_SIZE] = window
        self.window = window
        self.h2.local_settings.update(changed)
        self.h2.local_settings.acknowledge()
        self.script = script
        self.deaf = deaf
        self.near: Near | None = None
        self.open: dict[int, Path] = {}
        self.most_open = 0
        self.requests: list[Path] = []
        self.pings = 0
        self.resets: list[int] = []
        self.answered: list[Path] = []
        self.goodbye = False
        self.goodbye_said = False

    def begin(self, near: Near) -> None:
        self.near = near
        if not self.deaf:
            self.h2.initiate_connection()
            if self.window > 65_535:
                self.h2.increment_flow_control_window(self.window - 65_535)
            self.flush()

    def hear(self, data: bytes) -> None:
        if self.deaf:
            return
        for event in self.h2.receive_data(data):
            self._on(event)
        self.flush()

    def _on(self, event: Any) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self.open[event.stream_id] = dict(event.headers)[b":path"].decode()
            self.most_open = max(self.most_open, len(self.open))
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            path = self.open[event.stream_id]
            self.requests.append(path)
            self.script(self, event.stream_id, path)
        elif isinstance(event, h2.events.StreamReset):
            self.open.pop(event.stream_id, None)
            self.resets.append(event.stream_id)
        elif isinstance(event, h2.events.PingReceived):
            self.pings += 1
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goodbye = True

    def answer(self, stream: int, status: int, body: str = "") -> None:
        """A whole answer, if the stream still wants one."""
        path = self.open.pop(stream, None)
        if path is None:
            return
        self.answered.append(path)
        self.h2.send_headers(stream, [(":status", str(status)), ("x-path", body or "-")])
        self.h2.send_data(stream, body.encode(), end_stream=True)

    def reset(self, stream: int, code: h2.errors.ErrorCodes) -> None:
        """RST_STREAM."""
        if self.open.pop(stream, None) is not None:
            self.h2.reset_stream(stream, code)

    def go_away(self, last: int, code: int = 0) -> None:
        """GOAWAY by hand: h2 would refuse to go on with what is still open."""
        self.flush()
        self.goodbye_said = True
        payload = last.to_bytes(4, "big") + code.to_bytes(4, "big")
        self.raw(len(payload).to_bytes(3, "big") + b"\x07\x00" + bytes(4) + payload)

    def allow(self, streams: int) -> None:
        """SETTINGS with another stream limit."""
        self.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: streams})
        self.flush()

    def raw(self, data: bytes) -> None:
        """Any bytes."""
        assert self.near is not None
        self.near.say(data)

    def flush(self) -> None:
        """Send what h2 has to say."""
        self.raw(self.h2.data_to_send())
