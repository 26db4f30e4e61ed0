"""An h2 client wired to a session in memory: the other end of the session's tests."""

from __future__ import annotations

import json
from typing import Any

import h2.config
import h2.connection
import h2.events
from h2.settings import SettingCodes

from booper.simulators.apns import Account, ApnsExaminer, Desk, Habits, SigningKey
from booper.simulators.faults import Faults, Script
from booper.simulators.ledger import Ledger
from booper.simulators.serving import Session

NOW = 1_800_000_000.0
DEVICE, OTHER = "ab" * 32, "cd" * 32
BODY = b'{"aps":{}}'


class Client:
    """An h2 client wired to a session; `pump` exchanges bytes until both have nothing to say."""

    def __init__(
        self, key: SigningKey, *scripts: Script, habits: Habits | None = None, portion: int = 65536
    ) -> None:
        self.portion = portion
        self.token = key.mint(NOW)
        self.desk = Desk(
            Account([key.team_key]), Faults(scripts), Ledger(), habits or Habits(), lambda: NOW
        )
        self.at = 0.0
        self.session = Session(self.desk, ApnsExaminer(self.desk), self.at)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.answers: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, Any] = {}
        self.resets: dict[int, int] = {}
        self.goaways: list[tuple[int, Any]] = []
        self.limits: list[int] = []
        self.h2.initiate_connection()
        self.session.open()

    def post(self, device: str = DEVICE, body: bytes | None = BODY, **changes: str) -> int:
        """Send a push, without a body and its end if None; the stream's number."""
        stream_id = self.h2.get_next_available_stream_id()
        headers = {
            ":method": "POST",
            ":scheme": "https",
            ":authority": "localhost",
            ":path": f"/3/device/{device}",
            "authorization": f"bearer {self.token}",
            "apns-topic": "org.example.app",
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }
        self.h2.send_headers(stream_id, list(headers.items()))
        if body is not None:
            self.h2.send_data(stream_id, body, end_stream=True)
        return stream_id

    def pump(self, *, at: float | None = None) -> None:
        """Exchange bytes in portions; with `at`, first let that time come."""
        if at is not None:
            self.at = at
            self.session.tick(at)
        while True:
            sent, got = self.h2.data_to_send(), self.session.take()
            for start in range(0, len(sent), self.portion):
                if self.session.ending is None:
                    self.session.receive(sent[start : start + self.portion], self.at)
            for start in range(0, len(got), self.portion):
                for event in self.h2.receive_data(got[start : start + self.portion]):
                    self.note(event)
            if not sent and not got:
                return

    def note(self, event: h2.events.Event) -> None:
        """Remember what the server said."""
        match event:
            case h2.events.ResponseReceived(stream_id=stream_id, headers=headers):
                self.answers[stream_id] = dict(headers)  # type: ignore[arg-type]
            case h2.events.DataReceived(stream_id=stream_id, data=data):
                assert data, "no client likes an empty DATA frame"
                self.bodies[stream_id] = json.loads(data)
            case h2.events.StreamReset(stream_id=stream_id, error_code=code):
                self.resets[stream_id] = int(code)
            case h2.events.ConnectionTerminated(last_stream_id=last, additional_data=data):
                self.goaways.append((last or 0, json.loads(data) if data else None))
            case h2.events.RemoteSettingsChanged(changed_settings=changes):
                if SettingCodes.MAX_CONCURRENT_STREAMS in changes:
                    self.limits.append(changes[SettingCodes.MAX_CONCURRENT_STREAMS].new_value)
            case _:
                pass

    def status(self, stream_id: int) -> int:
        return int(self.answers[stream_id][":status"])
