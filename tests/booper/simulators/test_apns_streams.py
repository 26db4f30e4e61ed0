"""How many requests a connection may have open: as many as it was told, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.simulators.apns import Habits
from booper.simulators.faults import Delay, Script
from tests.booper.simulators.client import Client

if TYPE_CHECKING:
    from booper.simulators.apns import SigningKey


def test_as_many_streams_may_be_open_as_were_announced(key: SigningKey) -> None:
    client = Client(key, Script(Delay(5.0)), habits=Habits(streams=500, faithful_streams=False))
    client.pump()
    streams = [client.post() for _ in range(500)]
    client.pump()
    assert (client.answers, client.resets, client.goaways) == ({}, {}, [])
    client.pump(at=5.0)
    assert {client.status(stream) for stream in streams} == {200}
