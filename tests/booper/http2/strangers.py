"""The other side of every conversation here: the `h2` package, which shares no line with ours."""

from __future__ import annotations

from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings

from booper.http2 import Batch, Client
from booper.wire import Header, Stamp, Template

TEMPLATE = Template(
    b"api.example.org",
    b"/3/device/",
    (
        (b"authorization", b"bearer secret"),
        (b"apns-topic", b"org.example"),
        (b"apns-push-type", b"alert"),
    ),
    (b"apns-id",),
)


def stamp(number: int, body: bytes | None = None) -> Stamp:
    """A request that says its number in path, header and body."""
    text = str(number).encode()
    return (text, (b"id-" + text,), b'{"n":%d}' % number if body is None else body)


def stamps(count: int) -> list[Stamp]:
    return [stamp(number) for number in range(count)]


class StrangeServer:
    """An h2 server. `asked` holds whole requests that wait for an answer, by stream."""

    def __init__(self, **settings: int) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self.h2 = h2.connection.H2Connection(config)
        known = h2.settings.SettingCodes
        self.h2.local_settings.update({known[name]: value for name, value in settings.items()})
        self.h2.local_settings.acknowledge()  # the first SETTINGS hold from the beginning
        self.h2.initiate_connection()
        self._unacknowledged = 1
        self.asked: dict[int, tuple[dict[bytes, bytes], bytes]] = {}
        self.resets: dict[int, int] = {}
        self.gone: int | None = None
        self.pongs = 0
        self._coming: dict[int, tuple[dict[bytes, bytes], bytearray]] = {}

    def change(self, **settings: int) -> bool:
        """SETTINGS by their name in h2, as in `MAX_CONCURRENT_STREAMS=3`.

        False: not now. While one change is unacknowledged h2 takes any ACK for the newest one's.
        """
        if self._unacknowledged:
            return False
        self._unacknowledged += 1
        known = h2.settings.SettingCodes
        self.h2.update_settings({known[name]: value for name, value in settings.items()})
        return True

    def hear(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self._on(event)

    def _on(self, event: Any) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._coming[event.stream_id] = (dict(event.headers), bytearray())
        elif isinstance(event, h2.events.DataReceived):
            self._coming[event.stream_id][1].extend(event.data)
            if event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            fields, body = self._coming.pop(event.stream_id)
            self.asked[event.stream_id] = (fields, bytes(body))
        elif isinstance(event, h2.events.StreamReset):
            self.resets[event.stream_id] = int(event.error_code or 0)
            self._coming.pop(event.stream_id, None)
            self.asked.pop(event.stream_id, None)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.gone = int(event.error_code or 0)
        elif isinstance(event, h2.events.SettingsAcknowledged):
            self._unacknowledged -= 1
        elif isinstance(event, h2.events.PingAckReceived):
            self.pongs += 1

    def answer(
        self,
        stream: int,
        status: int = 200,
        body: bytes = b"",
        fields: tuple[Header, ...] = (),
        *,
        pad: int | None = None,
        trailers: bool = False,
        interim: bool = False,
    ) -> None:
        """Answer a whole request, echoing its apns-id, in any legal shape."""
        asked, _ = self.asked.pop(stream)
        if interim:
            self.h2.send_headers(stream, [(b":status", b"103"), (b"link", b"</x>")])
        head = [(b":status", str(status).encode()), (b"apns-id", asked[b"apns-id"]), *fields]
        self.h2.send_headers(stream, head, end_stream=not body and not trailers and pad is None)
        if body or pad is not None:
            *first, last = [body[at : at + 16_000] for at in range(0, len(body) or 1, 16_000)]
            for piece in first:
                self.h2.send_data(stream, piece, pad_length=pad)
            self.h2.send_data(stream, last, end_stream=not trailers, pad_length=pad)
        if trailers:
            self.h2.send_headers(stream, [(b"x-trailer", b"1")], end_stream=True)

    def refuse(self, stream: int, code: h2.errors.ErrorCodes) -> None:
        del self.asked[stream]
        self.h2.reset_stream(stream, code)

    def say(self) -> bytes:
        return bytes(self.h2.data_to_send())


def meet(client: Client, server: StrangeServer) -> None:
    """Carry everything both have to say, until both are silent."""
    while True:
        up, down = client.take(), server.say()
        if not up and not down:
            return
        server.hear(up)
        client.receive(down)


def met(**settings: int) -> tuple[Client, StrangeServer]:
    """A client and a strange server past their first words."""
    client, server = Client(), StrangeServer(**settings)
    meet(client, server)
    return client, server


def submit(client: Client, count: int, template: Template = TEMPLATE) -> Batch:
    """Begin `count` requests at once."""
    batch = Batch(count)
    assert client.submit(template, stamps(count), 0, count, batch) == count
    return batch
